#pragma once

// exp of lanes side by side (lanes.h): in f32 within two units in the last place of the exact
// value, with std::exp's results at infinities and NaN; in f64 std::exp itself.

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/cpu/lanes.h"

namespace gestalt::cpu {

// exp(x) = 2^n exp(r) with n the whole number nearest to x / ln 2, so that |r| <= ln 2 / 2, where
// the Taylor series up to r^7 is off by 6e-9.
template <class E, int count>
Lanes<E, count> exp_lanes(Lanes<E, count> x) {
  if constexpr (!std::is_same_v<E, float>) {
    if constexpr (count == 1) {
      return std::exp(x);
    } else {
      for (int j = 0; j < count; ++j) x[j] = std::exp(x[j]);
      return x;
    }
  } else {
    using Floats = Lanes<float, count>;
    using Whole = Lanes<int32_t, count>;
    using Bits = Lanes<uint32_t, count>;
    // Beyond these the result is 0 and infinity. The comparisons are false for NaN, which passes.
    const Floats lowest = Floats{} - 104.0f, highest = Floats{} + 89.0f;
    x = x < lowest ? lowest : x;
    x = x > highest ? highest : x;
    // Added to a small number, it leaves the nearest whole one in the lowest bits.
    constexpr float rounder = 12582912.0f;  // 1.5 * 2^23
    const Floats shifted = x * 1.44269504f + rounder;
    const Floats whole = shifted - rounder;
    const Whole n = std::bit_cast<Whole>(shifted) - std::bit_cast<int32_t>(rounder);
    // ln 2 in two parts: a product with the first has no rounding.
    const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Floats sum = r * (1.0f / 5040) + 1.0f / 720;
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * (r * r) + r + 1.0f;
    // In two steps: 2^n itself may be no f32.
    const auto power_of_two = [](Whole exponent) {
      return std::bit_cast<Floats>(std::bit_cast<Bits>(exponent + 127) << 23);
    };
    const Whole half = n >> 1;
    return sum * power_of_two(half) * power_of_two(n - half);
  }
}

}  // namespace gestalt::cpu
