#pragma once

// What a difference of sums is worth (internal to eval/).

#include <cmath>

namespace gestalt::eval {

// Whether `value`, had from terms of this size by adding and taking off in f64, is no more than
// rounding leaves of equal ones (below 1e-13 of them, of either sign): then it is zero.
inline bool is_rounding(double value, double terms) {
  return std::abs(value) <= 1e-12 * std::abs(terms);
}

}  // namespace gestalt::eval
