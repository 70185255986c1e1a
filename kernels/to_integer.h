#pragma once

// Floats as integers, the same on every device: C leaves those beyond the integer's range
// undefined (internal to kernels/).

#include <limits>

namespace gestalt {

// Truncated; beyond the range of To its nearest end, of NaN 0. constexpr, so that nvcc takes it in
// device code, too.
template <class To, class From>
constexpr To to_integer(From value) {
  constexpr To least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
  constexpr From beyond = static_cast<From>(most / 2 + 1) * 2;  // most + 1, a power of two
  if (value != value) return 0;
  if (value <= static_cast<From>(least)) return least;
  return value >= beyond ? most : static_cast<To>(value);
}

}  // namespace gestalt
