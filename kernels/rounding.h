#pragma once

// Integers rounded up. (Kernels on a GPU write (a + b - 1) / b where a is never negative, which
// takes no branch.)

#include <concepts>
#include <type_traits>

namespace gestalt {

// a / b rounded up; b > 0, a of either sign.
template <std::integral T>
constexpr T ceil_div(T a, std::type_identity_t<T> b) {
  return a > 0 ? (a - 1) / b + 1 : a / b;
}

// The next multiple of `step` at or above `value`, which is not negative; step > 0.
template <std::integral T>
constexpr T round_up(T value, std::type_identity_t<T> step) {
  return ceil_div(value, step) * step;
}

}  // namespace gestalt
