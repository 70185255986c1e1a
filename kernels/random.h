#pragma once

// (internal to kernels/) What the random kernels of every backend share on the host. The streams
// are in philox.h.

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/types.h"

namespace gestalt {

// The largest T in [low, high); low where that is empty. See philox_uniform.
template <class T>
double largest_below(double low, double high) {
  if (!(low < high)) return low;
  if constexpr (std::is_same_v<T, double>) {
    return std::nextafter(high, low);
  } else {
    // bf16 and f16 step by whole units of their own precision; f32 by those of a float.
    using Bits = std::conditional_t<std::is_same_v<T, float>, uint32_t, uint16_t>;
    constexpr Bits sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
    T value(static_cast<float>(high));
    while (static_cast<double>(static_cast<float>(value)) >= high) {
      Bits bits = std::bit_cast<Bits>(value);
      if ((bits & ~sign) == 0) {
        bits = sign | 1;
      } else {
        bits = static_cast<Bits>(bits & sign ? bits + 1 : bits - 1);
      }
      value = std::bit_cast<T>(bits);
    }
    return static_cast<float>(value);
  }
}

}  // namespace gestalt
