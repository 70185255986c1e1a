#pragma once

// exp, log, tanh and their kin of lanes side by side (lanes.h), one lane being a number: without a
// branch, so that loops over numbers vectorize. In f32 within three units in the last place of the
// exact value, with the results of <cmath> at zeros, infinities and NaN; in f64 <cmath> itself.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/lanes.h"

namespace gestalt::cpu {

namespace detail {

template <class V, class F>
V each_lane(V x, const F& f) {
  if constexpr (lanes_in<V> == 1) {
    return f(x);
  } else {
    for (int j = 0; j < lanes_in<V>; ++j) x[j] = f(x[j]);
    return x;
  }
}

// f (1 + s * (..)) with f = m - 1: the logarithm of m in [sqrt(1/2), sqrt(2)), plus e ln 2. By the
// series of 2 artanh(s), s = f / (2 + f), up to s^9; what is left out is below 1e-9 of it. The
// terms are arranged so that the largest, f, comes last (as in FreeBSD's e_logf.c).
template <class Floats>
Floats log_of_parts(Floats f, Floats e) {
  const Floats s = f / (f + 2.0f), s2 = s * s, half_square = 0.5f * f * f;
  const Floats none{};
  Floats series = fused(s2, none + 2.0f / 9, none + 2.0f / 7);
  series = fused(series, s2, none + 2.0f / 5);
  series = fused(series, s2, none + 2.0f / 3);
  // ln 2 in two parts: the first has few bits, so that its product with e is exact.
  const Floats of_e = fused(e, none - 2.12194440e-4f, s * fused(s2, series, half_square));
  return fused(e, none + 0.693359375f, f - (half_square - of_e));
}

}  // namespace detail

// exp(x) = 2^n exp(r) with n the whole number nearest to x / ln 2, so that |r| <= ln 2 / 2, where
// the Taylor series up to r^7 is off by 6e-9.
template <class V>
V exp_lanes(V x) {
  if constexpr (!std::is_same_v<LaneElement<V>, float>) {
    return detail::each_lane(x, [](double value) { return std::exp(value); });
  } else {
    using Whole = Lanes<int32_t, lanes_in<V>>;
    using Bits = Lanes<uint32_t, lanes_in<V>>;
    // Beyond these the result is 0 and infinity. NaN passes.
    x = smaller(V{} + 89.0f, larger(V{} - 104.0f, x));
    // Added to a small number, it leaves the nearest whole one in the lowest bits.
    constexpr float rounder = 12582912.0f;  // 1.5 * 2^23
    const V none{};
    const V shifted = fused(x, none + 1.44269504f, none + rounder);
    const V whole = shifted - rounder;
    const Whole n = std::bit_cast<Whole>(shifted) - std::bit_cast<int32_t>(rounder);
    // ln 2 in two parts: a product with the first has no rounding.
    const V r = fused(whole, none + 2.12194440e-4f, fused(whole, none - 0.693359375f, x));
    V sum = fused(r, none + 1.0f / 5040, none + 1.0f / 720);
    sum = fused(sum, r, none + 1.0f / 120);
    sum = fused(sum, r, none + 1.0f / 24);
    sum = fused(sum, r, none + 1.0f / 6);
    sum = fused(sum, r, none + 0.5f);
    sum = fused(sum, r * r, r) + 1.0f;
#if defined(__AVX512F__)
    if constexpr (lanes_in<V> == 16) {
      return std::bit_cast<V>(
          _mm512_scalef_ps(std::bit_cast<__m512>(sum), std::bit_cast<__m512>(whole)));
    }
#endif
    // In two steps: 2^n itself may be no f32.
    const auto power_of_two = [](Whole exponent) {
      return std::bit_cast<V>(std::bit_cast<Bits>(exponent + 127) << 23);
    };
    const Whole half = n >> 1;
    return sum * power_of_two(half) * power_of_two(n - half);
  }
}

template <class V>
V log_lanes(V x) {
  if constexpr (!std::is_same_v<LaneElement<V>, float>) {
    return detail::each_lane(x, [](double value) { return std::log(value); });
  } else {
    using Bits = Lanes<uint32_t, lanes_in<V>>;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    // x = m 2^e; numbers below the normal ones are scaled up first.
    const V none{}, all = none + 1.0f, scale = none + 8388608.0f, scaled_by = none - 23.0f;
    const auto is_small = x < std::numeric_limits<float>::min();
    const Bits bits = std::bit_cast<Bits>(x * (is_small ? scale : all));
    constexpr uint32_t sqrt_half = 0x3F3504F3;
    const Bits shifted = bits - sqrt_half;
    const auto exponent = std::bit_cast<Lanes<int32_t, lanes_in<V>>>(shifted) >> 23;
    const V m = std::bit_cast<V>((shifted & 0x007FFFFFu) + sqrt_half);
    const V e = convert_lanes<float, lanes_in<V>>(exponent) + (is_small ? scaled_by : none);
    const V result = detail::log_of_parts<V>(m - 1.0f, e);
    const V finite = x < infinity ? result : x;  // NaN stays
    const V nan = none + std::numeric_limits<float>::quiet_NaN();
    const V of_none = x == none ? none - infinity : nan;
    return x > none ? finite : of_none;
  }
}

// log(1 + x) for x in [0, 1].
template <class V>
V log1p_of_unit(V x) {
  if constexpr (!std::is_same_v<LaneElement<V>, float>) {
    return detail::each_lane(x, [](double value) { return std::log1p(value); });
  } else {
    // x is f itself as long as 1 + x is below sqrt(2); then (1 + x) / 2 - 1 is, without rounding.
    const V none{}, one = none + 1.0f;
    const auto is_large = x >= 0.41421356f;
    return detail::log_of_parts<V>(is_large ? 0.5f * x - 0.5f : x, is_large ? one : none);
  }
}

// 1 / (1 + exp(-x))
template <class V>
V sigmoid_lanes(V x) {
  return 1 / (1 + exp_lanes(-x));
}

// -target log(p) - (1 - target) log(1 - p), p = sigmoid(x). As log(1 - p) = -x + log(p), neither
// logarithm is taken of what was rounded to 0 or 1.
template <class V>
V binary_cross_entropy_lanes(V x, V target) {
  const V none{}, linear = x > none ? x - target * x : none - target * x;
  return linear + log1p_of_unit(exp_lanes(-absolute(x)));
}

// x + x^3 P(x^2) near 0 (the minimax polynomial of Moshier's Cephes, tanhf.c), 1 - 2 / (exp(2 |x|)
// + 1) with the sign of x beyond.
template <class V>
V tanh_lanes(V x) {
  if constexpr (!std::is_same_v<LaneElement<V>, float>) {
    return detail::each_lane(x, [](double value) { return std::tanh(value); });
  } else {
    using Bits = Lanes<uint32_t, lanes_in<V>>;
    const Bits sign = std::bit_cast<Bits>(x) & 0x80000000u;
    const V size = std::bit_cast<V>(std::bit_cast<Bits>(x) ^ sign);
    const V square = x * x;
    const V none{};
    V series = fused(square, none - 5.70498872745e-3f, none + 2.06390887954e-2f);
    series = fused(series, square, none - 5.37397155531e-2f);
    series = fused(series, square, none + 1.33314422036e-1f);
    series = fused(series, square, none - 3.33332819422e-1f);
    const V near = fused(size * square, series, size);
    const V far = 1.0f - 2.0f / (exp_lanes(2.0f * size) + 1.0f);
    const V result = size < 0.625f ? near : far;
    return std::bit_cast<V>(std::bit_cast<Bits>(result) | sign);
  }
}

}  // namespace gestalt::cpu
