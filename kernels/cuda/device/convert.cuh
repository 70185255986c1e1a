#pragma once

// Element types in device code: bf16 and f16 are stored, and computed with as f32.
//
// load(T) and store<T>(float) round to nearest even like the constructors of kernels/types.h (which
// are no device functions); every NaN stays one, though not with the same payload.

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/namespace.h"
#include "kernels/to_integer.h"
#include "kernels/types.h"

namespace GESTALT_CUDA_NAMESPACE {

__device__ inline float load(float value) {
  return value;
}

__device__ inline float load(bfloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

__device__ inline float load(float16 value) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
#else
  return static_cast<float>(value);
#endif
}

template <class T>
__device__ inline T store(float value) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    bfloat16 result;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t pair;  // of two at once, which takes a quarter of the time of one alone
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(0.0f), "f"(value));
    result.bits = static_cast<uint16_t>(pair);
    return result;
#else
    const uint32_t bits = __float_as_uint(value);
    result.bits = (bits & 0x7fffffffu) > 0x7f800000u
                      ? static_cast<uint16_t>((bits >> 16) | 0x40u)
                      : static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    return result;
#endif
  } else if constexpr (std::is_same_v<T, float16>) {
#if defined(__CUDA_ARCH__)
    float16 result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    return float16(value);
#endif
  } else {
    static_assert(std::is_same_v<T, float>);
    return value;
  }
}

// Between any two element types.
template <class To, class From>
__device__ inline To convert(From value) {
  constexpr bool from_small = std::is_same_v<From, bfloat16> || std::is_same_v<From, float16>;
  constexpr bool to_small = std::is_same_v<To, bfloat16> || std::is_same_v<To, float16>;
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (from_small) {
    return convert<To>(load(value));
  } else if constexpr (to_small) {
    return store<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// `size` elements that are read or written in one access.
template <class T, int size>
struct alignas(sizeof(T) * size) Pack {
  T value[size];
};

}  // namespace GESTALT_CUDA_NAMESPACE
