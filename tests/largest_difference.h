#pragma once

// How far the elements of two sequences of numbers lie apart.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>

namespace gestalt::tests {

// The largest |got - expected|. Infinite where the sizes differ or a difference is NaN, so that no
// bound takes it; equal infinities are no difference.
template <class Got, class Expected>
double largest_difference(const Got& got, const Expected& expected) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (std::ssize(got) != std::ssize(expected)) return infinite;
  double largest = 0;
  for (std::ptrdiff_t i = 0; i < std::ssize(got); ++i) {
    const double a = got[i], b = expected[i];
    if (a == b) continue;
    const double difference = std::abs(a - b);
    if (std::isnan(difference)) return infinite;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace gestalt::tests
