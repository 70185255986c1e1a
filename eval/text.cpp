#include "eval/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace gestalt::eval {

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) text += separator;
    text += part;
  }
  return text;
}

std::string pad_left(std::string_view text, size_t width) {
  std::string padded(width > text.size() ? width - text.size() : 0, ' ');
  return padded.append(text);
}

std::string pad_right(std::string_view text, size_t width) {
  std::string padded(text);
  if (padded.size() < width) padded.resize(width, ' ');
  return padded;
}

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view digits = "0123456789";
  while (!a.empty() && !b.empty()) {
    const size_t in_a = std::min(a.find_first_not_of(digits), a.size());
    const size_t in_b = std::min(b.find_first_not_of(digits), b.size());
    if (in_a > 0 && in_b > 0) {
      const int64_t number_a = std::strtoll(std::string(a.substr(0, in_a)).c_str(), nullptr, 10);
      const int64_t number_b = std::strtoll(std::string(b.substr(0, in_b)).c_str(), nullptr, 10);
      if (number_a != number_b) return number_a < number_b;
      a.remove_prefix(in_a);
      b.remove_prefix(in_b);
    } else {
      if (a[0] != b[0]) return a[0] < b[0];
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.size() < b.size();
}

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace gestalt::eval
