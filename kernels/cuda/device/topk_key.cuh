#pragma once

// The order in which Top-K ranks elements, as unsigned numbers, and what it writes. The largest
// keys win; among equal ones the lowest index.

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/namespace.h"
#include "kernels/philox.h"

namespace GESTALT_CUDA_NAMESPACE {

// The bits of an element: uint32_t or uint16_t.
template <class T>
using ElementBits = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;

template <class T>
inline constexpr uint32_t sign_bit = sizeof(T) == 2 ? 0x8000u : 0x80000000u;

// The key of every NaN: just above infinity's.
template <class T>
inline constexpr uint32_t nan_key = std::is_same_v<T, bfloat16>  ? 0x7f81u
                                    : std::is_same_v<T, float16> ? 0x7c01u
                                                                 : 0x7f800001u;

// By magnitude. +0 and -0 have the key 0, which selection counts on: it never looks for zeros.
template <class T>
struct MagnitudeKey {
  static constexpr int bits = static_cast<int>(sizeof(T)) * 8 - 1;  // of the key
  static constexpr bool replaces_by_mean = false;
  static constexpr ElementBits<T> lowest = 0;         // an element that ranks last
  static constexpr uint32_t most = nan_key<T>;        // of all keys
  static constexpr uint32_t above_all = sign_bit<T>;  // of raw keys too

  __device__ static uint32_t of(ElementBits<T> element) { return ::min(raw(element), nan_key<T>); }
  // Like of(), but NaNs are ordered among themselves, above all else: enough to count the keys from
  // any key up.
  __device__ static uint32_t raw(ElementBits<T> element) { return element & (sign_bit<T> - 1); }

  // A number proportional to the magnitude, so that one can interpolate, and back. (The bits of an
  // f16, shifted, are those of an f32 whose exponent is off by a constant.)
  static constexpr int shift = std::is_same_v<T, float16> ? 13 : std::is_same_v<T, float> ? 0 : 16;
  __device__ static float value(uint32_t key) { return __uint_as_float(key << shift); }
  __device__ static uint32_t from_value(float value) { return __float_as_uint(value) >> shift; }
};

// By signed value; +0 and -0 tie. No element has the key 0. What is kept becomes the mean of all
// that is kept: no other mode ranks this way.
template <class T>
struct SignedKey {
  static constexpr int bits = static_cast<int>(sizeof(T)) * 8;
  static constexpr bool replaces_by_mean = true;
  static constexpr ElementBits<T> lowest =  // -inf
      static_cast<ElementBits<T>>(sign_bit<T> + nan_key<T> - 1);
  static constexpr uint32_t most = sign_bit<T> + nan_key<T>;
  static constexpr uint32_t above_all = most + 1;

  __device__ static uint32_t of(ElementBits<T> element) {
    const uint32_t magnitude = MagnitudeKey<T>::of(element);
    const bool negative = (element & sign_bit<T>) != 0 && magnitude != nan_key<T>;
    return negative ? sign_bit<T> - magnitude : sign_bit<T> + magnitude;
  }
  __device__ static uint32_t raw(ElementBits<T> element) { return of(element); }
};

// Kept: every key above `threshold`, and the first `ties` elements whose key equals it.
struct TopKSelection {
  uint32_t threshold;
  uint32_t ties;
};

// The least key above those of a threshold. Above the largest key there is nothing, though NaNs
// count raw.
template <class Key>
__device__ inline uint32_t topk_above(uint32_t threshold) {
  return threshold < Key::most ? threshold + 1 : Key::above_all;
}

// All keys of at least `lowest`, none tied. Zeros are never asked for this way.
__device__ inline TopKSelection keys_from(uint32_t lowest) {
  return {::max(lowest, 1u) - 1, 0};
}

// tau * sparse + (1 - tau) * x, each operation rounded, as on the CPU. With tau = 1 a selection:
// what is dropped is +0 even where it was infinite.
template <class T>
__device__ inline ElementBits<T> topk_blend(ElementBits<T> element, bool passed, float tau) {
  if (tau == 1.0f) return passed ? element : ElementBits<T>{0};
  const float value = load(std::bit_cast<T>(element));
  const float sparse = passed ? value : 0.0f;
  const T y = store<T>(rounded::add(rounded::multiply(tau, sparse),
                                    rounded::multiply(rounded::add(1.0f, -tau), value)));
  return std::bit_cast<ElementBits<T>>(y);
}

// What a forward kernel does with a selection. All but the length may be "not at all".
template <class T>
struct TopKOutput {
  ElementBits<T>* y;  // or null
  uint32_t* mask;     // [rows, ceil(length / 32)], or null: bit i % 32 of word i / 32
  bool reverse;
  float tau;

  // y is each element or 0, and no mask is asked for.
  __device__ bool is_plain() const { return mask == nullptr && !reverse && tau == 1.0f; }
};

// What becomes of an element of a row. `mean`: of the kept ones, where the key replaces by it.
template <class Key, class T>
__device__ inline ElementBits<T> topk_result(ElementBits<T> element, bool passed,
                                             ElementBits<T> mean, const TopKOutput<T>& output) {
  if constexpr (Key::replaces_by_mean) {
    return passed ? mean : ElementBits<T>{0};
  } else {
    return topk_blend<T>(element, passed, output.tau);
  }
}

template <class T>
__device__ inline ElementBits<T> topk_mean(double sum, uint32_t k) {
  return std::bit_cast<ElementBits<T>>(store<T>(static_cast<float>(sum / static_cast<double>(k))));
}

}  // namespace GESTALT_CUDA_NAMESPACE
