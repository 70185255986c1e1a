#include "eval/statistics.h"

#include <cmath>
#include <limits>

namespace gestalt::eval {

Interval wilson95(int64_t successes, int64_t trials) {
  if (trials == 0) return {};
  constexpr double z = 1.959963984540054;  // the normal distribution's 0.975 quantile
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double denominator = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / denominator;
  const double half = z / denominator * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // Rounding would otherwise leave the ends of 0 and of all a hair beyond what they are.
  return {successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half};
}

std::string decimal_ratio(int64_t numerator, int64_t denominator, int digits) {
  if (denominator == 0) return "-";
  int64_t scale = 1;
  for (int i = 0; i < digits; ++i) scale *= 10;
  const int64_t scaled = (2 * numerator * scale + denominator) / (2 * denominator);
  std::string fraction = std::to_string(scaled % scale);
  fraction.insert(0, static_cast<size_t>(digits) - fraction.size(), '0');
  return std::to_string(scaled / scale) + "." + fraction;
}

double ratio(int64_t numerator, int64_t denominator) {
  if (denominator == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

}  // namespace gestalt::eval
