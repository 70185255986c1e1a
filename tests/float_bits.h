#pragma once

// Floating numbers by their bits: f32, bf16, f16 and f64.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/types.h"

namespace gestalt::tests {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, uint16_t,
                                std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

template <class T>
Bits<T> bits_of(T value) {
  return std::bit_cast<Bits<T>>(value);
}
// Of the lowest bits.
template <class T>
T from_bits(uint64_t bits) {
  return std::bit_cast<T>(static_cast<Bits<T>>(bits));
}

template <class T>
constexpr Bits<T> infinity_bits = static_cast<Bits<T>>(std::is_same_v<T, bfloat16>  ? 0x7f80
                                                       : std::is_same_v<T, float16> ? 0x7c00
                                                       : std::is_same_v<T, float>
                                                           ? 0x7f800000
                                                           : 0x7ff0000000000000);
template <class T>
constexpr Bits<T> sign_bit = static_cast<Bits<T>>(Bits<T>{1} << (8 * sizeof(T) - 1));

}  // namespace gestalt::tests
