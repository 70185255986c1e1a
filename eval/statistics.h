#pragma once

// Proportions of counts.

#include <cstdint>
#include <string>

namespace gestalt::eval {

struct Interval {
  double low = 0, high = 1;
};

// Wilson's score interval for `successes` of `trials`, 95 %; [0, 1] where there are no trials.
Interval wilson95(int64_t successes, int64_t trials);

// numerator / denominator, exact halves away from zero, which printf cannot give from a double:
// decimal_ratio(969, 1200, 3) is ".808" written "0.808". "-" where the denominator is 0.
std::string decimal_ratio(int64_t numerator, int64_t denominator, int digits);

// NaN where the denominator is 0.
double ratio(int64_t numerator, int64_t denominator);

}  // namespace gestalt::eval
