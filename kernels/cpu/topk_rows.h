#pragma once

// Top-K of one contiguous row, in steps that the kernels put together: find the threshold, then
// write the row and its mask. One implementation an instruction set; all give the same bits, since
// the selection is a pure function of the row.
//
// Key of an element: its magnitude bits, every NaN alike and above infinity:
//   min(bits & ~sign, infinity + 1), ordered as unsigned.
// Kept are the k largest keys; among equal ones those of the lowest index.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/types.h"

namespace gestalt::cpu {

// Kept: every key above `threshold`, and the first `ties` elements whose key equals it.
struct TopKSelection {
  uint64_t threshold = 0;
  int64_t ties = 0;
};

template <class T>
struct TopKKey {
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
  static constexpr Bits magnitude = static_cast<Bits>(~Bits{0}) >> 1;
  static constexpr Bits infinity = std::is_same_v<T, bfloat16>  ? 0x7f80
                                   : std::is_same_v<T, float16> ? 0x7c00
                                   : sizeof(T) == 4             ? 0x7f800000
                                                    : static_cast<Bits>(0x7ff0000000000000);
  static constexpr Bits nan = infinity + 1;

  static Bits of(T value) {
    const Bits bits = std::bit_cast<Bits>(value) & magnitude;
    return bits < nan ? bits : nan;
  }
};

template <class T>
struct TopKRows {
  using Bits = typename TopKKey<T>::Bits;

  // 1 <= k <= length. scratch: topk_scratch(length) elements.
  TopKSelection (*select)(const T* row, int64_t length, int64_t k, Bits* scratch);

  // y[i] = kept (or, with `reverse`, not kept) ? row[i] : +0; y may be row itself, or null. mask:
  // ceil(length / 32) little-endian words, one bit an element written to y; may be null. `stream`:
  // y is not read soon, pass it by the caches.
  void (*write)(const T* row, int64_t length, TopKSelection selection, bool reverse, bool stream,
                T* y, uint8_t* mask);

  // y[i] = mask bit i ? x[i] : +0
  void (*apply)(const T* x, const uint8_t* mask, int64_t length, bool stream, T* y);
};

inline int64_t topk_scratch(int64_t length) {
  return length + 2048;
}

// Plain code for every type; what the others are tested against.
template <class T>
const TopKRows<T>& topk_rows_plain();

// For float, bfloat16 and float16. AVX-512: call only where has_avx512().
template <class T>
const TopKRows<T>& topk_rows_avx2();
template <class T>
const TopKRows<T>& topk_rows_avx512();

template <>
const TopKRows<float>& topk_rows_avx2();
template <>
const TopKRows<bfloat16>& topk_rows_avx2();
template <>
const TopKRows<float16>& topk_rows_avx2();
template <>
const TopKRows<float>& topk_rows_avx512();
template <>
const TopKRows<bfloat16>& topk_rows_avx512();
template <>
const TopKRows<float16>& topk_rows_avx512();

// The fastest that this processor has.
template <class T>
const TopKRows<T>& topk_rows();

}  // namespace gestalt::cpu
