#pragma once

// gestalt::Error, GESTALT_CHECK and the small formatter behind their messages.
//
// The formatter knows "{}" alone. It stands here instead of a library because this header is read
// by nvcc and must build on a GPU machine that has nothing but CUDA and a compiler.

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace gestalt {

// The one exception type of the library. what() is one line meant for the user.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One argument of format(): anything printable, as text.
class FormatArg {
 public:
  FormatArg(std::string_view text) : text_(text) {}
  FormatArg(const std::string& text) : text_(text) {}
  FormatArg(const char* text) : text_(text == nullptr ? "(null)" : text) {}
  FormatArg(bool value) : text_(value ? "true" : "false") {}
  FormatArg(double value);
  FormatArg(float value) : FormatArg(static_cast<double>(value)) {}
  template <class T>
  requires std::is_integral_v<T> FormatArg(T value) : text_(std::to_string(value)) {}
  // Types of the library give themselves a `std::string to_string(const T&)`.
  template <class T>
  requires requires(const T& value) {
    { to_string(value) } -> std::convertible_to<std::string>;
  }
  FormatArg(const T& value) : text_(to_string(value)) {}

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Replaces each "{}" of `pattern` by the next argument.
std::string format_args(std::string_view pattern, std::initializer_list<FormatArg> args);

// For std::string arguments std::format is a candidate, too, where it exists: these fit better,
// since they take the pattern as it is and the rest no worse.
template <class... Args>
std::string format(const char* pattern, Args&&... args) {
  return format_args(pattern, {FormatArg(args)...});
}
template <class... Args>
std::string format(std::string_view pattern, Args&&... args) {
  return format_args(pattern, {FormatArg(args)...});
}

}  // namespace gestalt

// GESTALT_CHECK(condition, "[op] expected {}, got {}", a, b): throws gestalt::Error with that
// message.
#define GESTALT_CHECK(condition, ...)                         \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      throw ::gestalt::Error(::gestalt::format(__VA_ARGS__)); \
  } while (false)
