#pragma once

// Powers of lanes side by side (lanes.h): without a branch, where std::pow takes one number.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/cpu/lanes.h"

namespace gestalt::cpu {

namespace detail {

// log2 of normal numbers above 0, to 2e-12 of itself: m 2^e with m in [sqrt(1/2), sqrt(2)), of
// which 2 artanh(s) / ln 2, s = (m - 1) / (m + 1), by its series up to s^13. The terms are added in
// pairs: one after the other, each would wait for the last.
template <int lanes>
Lanes<double, lanes> log2_of(const Lanes<double, lanes>& x) {
  using Bits = Lanes<uint64_t, lanes>;
  using Values = Lanes<double, lanes>;
  constexpr uint64_t sqrt_half = 0x3FE6A09E667F3BCD;
  constexpr double none = 0x1p52;  // its lowest bits are those of a whole number that is added
  const Bits shifted = std::bit_cast<Bits>(x) - sqrt_half + (uint64_t{1023} << 52);
  const auto e =
      std::bit_cast<Values>((shifted >> 52) | std::bit_cast<uint64_t>(none)) - (none + 1023);
  const auto m = std::bit_cast<Values>((shifted & 0x000FFFFFFFFFFFFF) + sqrt_half);
  const Values zero{}, s = (m - 1) / (m + 1), s2 = s * s, s4 = s2 * s2;
  const Values low =
      fused(s4, fused(s2, zero + 1.0 / 7, zero + 1.0 / 5), fused(s2, zero + 1.0 / 3, zero + 1.0));
  const Values high = fused(s4, zero + 1.0 / 13, fused(s2, zero + 1.0 / 11, zero + 1.0 / 9));
  return fused(fused(s4 * s4, high, low), s * 2.8853900817779268, e);  // 2 / ln 2
}

// 2^x to 3e-10 of itself, for |x| <= 1000: the Taylor series up to the eighth power for what is
// left of the nearest whole number.
template <int lanes>
Lanes<double, lanes> exp2_of(const Lanes<double, lanes>& x) {
  using Bits = Lanes<uint64_t, lanes>;
  using Values = Lanes<double, lanes>;
  // Added to a small number, it leaves the nearest whole one in the lowest bits.
  constexpr double rounder = 0x1.8p52;
  const Values zero{}, shifted = x + rounder;
  const Values r = (x - (shifted - rounder)) * 0.69314718055994531, r2 = r * r;
  const Values low = fused(r2, fused(r, zero + 1.0 / 6, zero + 0.5), r + 1.0);
  const Values high = fused(r2, fused(r, zero + 1.0 / 5040, zero + 1.0 / 720),
                            fused(r, zero + 1.0 / 120, zero + 1.0 / 24));
  const Values r4 = r2 * r2;
  const Values series = fused(r4, fused(r4, zero + 1.0 / 40320, high), low);
  const Bits scale = (std::bit_cast<Bits>(shifted) + 1023) << 52;
  return series * std::bit_cast<Values>(scale);
}

}  // namespace detail

// x^exponent, as std::pow has it. In f32 by way of f64: within 0.51 ulp.
class Power {
 public:
  // Finite and not 0.
  explicit Power(double exponent)
      : exponent_(exponent),
        is_whole_(exponent == std::trunc(exponent)),
        is_odd_(is_whole_ && std::fmod(exponent, 2) != 0) {}

  double operator()(double x) const { return std::pow(x, exponent_); }
  float operator()(float x) const { return first_lane((*this)(repeated_lanes<8>(x))); }
  template <class V>
  V operator()(const V& x) const {
    if constexpr (std::is_same_v<LaneElement<V>, double>) {
      V y = x;
      for (int j = 0; j < lanes_in<V>; ++j) y[j] = std::pow(x[j], exponent_);
      return y;
    } else {
      return of_lanes(x);
    }
  }

 private:
  template <class V>
  V of_lanes(const V& x) const {
    using Bits = Lanes<uint32_t, lanes_in<V>>;
    const V none{}, infinite = none + std::numeric_limits<float>::infinity();
    const Bits sign = std::bit_cast<Bits>(x) & 0x80000000u;
    const V size = std::bit_cast<V>(std::bit_cast<Bits>(x) ^ sign);
    const auto [low, high] = halves(size);
    V y = joined<V>(of_finite(low), of_finite(high));
    y = size == none ? (exponent_ > 0 ? none : infinite) : y;
    y = size == infinite ? (exponent_ > 0 ? infinite : none) : y;
    if (is_odd_) y = std::bit_cast<V>(std::bit_cast<Bits>(y) | sign);
    if (!is_whole_) {
      const V nan = none + std::numeric_limits<float>::quiet_NaN();
      const auto has_no_power = (x < none) & (size < infinite);
      y = has_no_power ? nan : y;
    }
    return x == x ? y : x;
  }

  // Of numbers above 0.
  template <class V>
  V of_finite(const V& x) const {
    constexpr int lanes = lanes_in<V>;
    const Lanes<double, lanes> limit = Lanes<double, lanes>{} + 1000.0;
    auto power = exponent_ * detail::log2_of<lanes>(to_doubles(x));
    power = power > limit ? limit : power;
    power = power < -limit ? -limit : power;
    return convert_lanes<float, lanes>(detail::exp2_of<lanes>(power));
  }

  double exponent_;
  bool is_whole_, is_odd_;
};

}  // namespace gestalt::cpu
