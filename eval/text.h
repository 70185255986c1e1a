#pragma once

// Small pieces of text.

#include <string>
#include <string_view>
#include <vector>

namespace gestalt::eval {

// {"a", "b"} with ", " between: "a, b".
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Filled up with spaces; `text` whole where it is longer.
std::string pad_left(std::string_view text, size_t width);
std::string pad_right(std::string_view text, size_t width);

// Whether a stands before b, numbers in them by value: "topK-5" before "topK-10".
bool natural_less(std::string_view a, std::string_view b);

// printf's %.*f; "-" for NaN.
std::string fixed(double value, int digits);

}  // namespace gestalt::eval
