#pragma once

// A ReLU of one element and the test of its gradient. Halves are compared as the integers that they
// are: converting them costs more than the rest.

#include <bit>
#include <cstdint>

#include "kernels/cpu/topk_rows.h"

namespace gestalt::cpu {

// x < 0 ? 0 : x, so that NaN stays NaN, and -0 stays -0.
template <class T>
T rectified(T x) {
  if constexpr (sizeof(T) == 2) {
    constexpr uint16_t minus_0 = TopKKey<T>::magnitude + 1;
    const auto beyond_minus_0 = static_cast<uint16_t>(std::bit_cast<uint16_t>(x) - minus_0 - 1);
    return beyond_minus_0 < TopKKey<T>::infinity ? std::bit_cast<T>(uint16_t{0}) : x;
  } else {
    return x < 0 ? T(0) : x;
  }
}

// The same of lanes (lanes.h) of T as they are stored.
template <class T, class Values>
Values rectified_lanes(const Values& values) {
  if constexpr (sizeof(T) == 2) {
    constexpr uint16_t minus_0 = TopKKey<T>::magnitude + 1;
    const auto beyond_minus_0 = static_cast<Values>(values - minus_0 - 1);
    return beyond_minus_0 < TopKKey<T>::infinity ? Values{} : values;
  } else {
    return values < 0 ? Values{} : values;
  }
}

// x > 0 ? y : 0; so 0 for NaN. Written so that it vectorizes: no choice between two loads.
template <class T>
T where_positive(T x, T y) {
  if constexpr (sizeof(T) == 2) {
    const auto beyond_0 = static_cast<uint16_t>(x.bits - 1);
    y.bits = beyond_0 < TopKKey<T>::infinity ? y.bits : uint16_t{0};
    return y;
  } else {
    using Bits = typename TopKKey<T>::Bits;
    const Bits all_or_none = x > 0 ? ~Bits{0} : Bits{0};
    return std::bit_cast<T>(std::bit_cast<Bits>(y) & all_or_none);
  }
}

}  // namespace gestalt::cpu
