#include "tools/common/ranges.h"

#include <cmath>
#include <functional>
#include <string>

#include "kernels/error.h"
#include "tools/common/numbers.h"

namespace gestalt::tools {
namespace {

CLI::Validator number(const std::string& words, const std::function<bool(double)>& holds) {
  const auto check = [words, holds](const std::string& text) -> std::string {
    double value = 0;
    if (read_number(text, value) && std::isfinite(value) && holds(value)) return {};
    return "must be " + words + ", got " + text;
  };
  return CLI::Validator(check, words);
}

}  // namespace

CLI::Validator at_least(int64_t low) {
  const auto bound = static_cast<double>(low);
  return number(format("{} or more", low), [bound](double value) { return value >= bound; });
}

CLI::Validator positive() {
  return number("above 0 and finite", [](double value) { return value > 0; });
}

CLI::Validator not_negative() {
  return number("0 or more and finite", [](double value) { return value >= 0; });
}

CLI::Validator in_range(int64_t low, int64_t high, Ends ends) {
  const std::string words = ends == Ends::both    ? format("{} to {}", low, high)
                            : ends == Ends::lower ? format("{} or more and below {}", low, high)
                                                  : format("above {} and up to {}", low, high);
  const auto from = static_cast<double>(low), to = static_cast<double>(high);
  return number(words, [from, to, ends](double value) {
    return (ends == Ends::upper ? value > from : value >= from) &&
           (ends == Ends::lower ? value < to : value <= to);
  });
}

CLI::Validator thread_count() {
  return in_range(0, 1024);
}

}  // namespace gestalt::tools
