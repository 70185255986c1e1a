#pragma once

// Keys by magnitude of the one (f32) or two (16 bits) elements of a register word, compared at
// once. A bound is a key, the same for every element of the word; all of it holds for bounds from 1
// to sign_bit<T>, which no element reaches. NaNs count as raw keys (MagnitudeKey::raw).

#include "kernels/cuda/device/topk_key.cuh"

namespace GESTALT_CUDA_NAMESPACE {

template <class T>
inline constexpr int topk_per_word = static_cast<int>(sizeof(uint32_t) / sizeof(T));

// A word of equal elements.
template <class T>
__device__ inline uint32_t topk_repeat(uint32_t element) {
  return topk_per_word<T> == 2 ? element | element << 16 : element;
}

// Compared as floats the sign costs little or nothing, and NaN is above every number.
template <class T>
__device__ inline bool topk_is_number(uint32_t key) {
  return key < nan_key<T>;
}
// Of each element of a word of bounds.
template <class T>
__device__ inline bool topk_are_numbers(uint32_t bounds) {
  if constexpr (topk_per_word<T> == 1) return topk_is_number<T>(bounds);
  return topk_is_number<T>(bounds & 0xffffu) && topk_is_number<T>(bounds >> 16);
}

// 16 bits: instructions of sm_90 for both halves of a word. There alone bf16 has them.
template <class T>
struct TopKHalves;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
inline constexpr bool topk_compares_halves = true;

// count: of each half, as T; exact up to 256. negative: below 0, so not -0 and no NaN. magnitudes:
// an instruction of its own for bf16, part of the next one for f16.
#define GESTALT_TOPK_HALVES(T, type)                                                               \
  template <>                                                                                      \
  struct TopKHalves<T> {                                                                           \
    static __device__ uint32_t magnitudes(uint32_t word) {                                         \
      uint32_t result;                                                                             \
      asm("abs." type " %0, %1;" : "=r"(result) : "r"(word));                                      \
      return result;                                                                               \
    }                                                                                              \
    static __device__ uint32_t at_least(uint32_t magnitudes, uint32_t bounds) {                    \
      uint32_t mask;                                                                               \
      asm("set.geu.u32." type " %0, %1, %2;" : "=r"(mask) : "r"(magnitudes), "r"(bounds));         \
      return mask;                                                                                 \
    }                                                                                              \
    static __device__ uint32_t equal(uint32_t magnitudes, uint32_t bounds) {                       \
      uint32_t mask;                                                                               \
      asm("set.eq.u32." type " %0, %1, %2;" : "=r"(mask) : "r"(magnitudes), "r"(bounds));          \
      return mask;                                                                                 \
    }                                                                                              \
    static __device__ uint32_t count(uint32_t magnitudes, uint32_t bounds, uint32_t counts) {      \
      asm("{ .reg .b32 one; set.geu." type "." type " one, %1, %2; add.rn." type " %0, %0, one; }" \
          : "+r"(counts)                                                                           \
          : "r"(magnitudes), "r"(bounds));                                                         \
      return counts;                                                                               \
    }                                                                                              \
    static __device__ uint32_t negative(uint32_t word) {                                           \
      uint32_t mask;                                                                               \
      asm("set.lt.u32." type " %0, %1, %2;" : "=r"(mask) : "r"(word), "r"(0));                     \
      return mask;                                                                                 \
    }                                                                                              \
  };
GESTALT_TOPK_HALVES(bfloat16, "bf16x2")
GESTALT_TOPK_HALVES(float16, "f16x2")
#undef GESTALT_TOPK_HALVES
#else
inline constexpr bool topk_compares_halves = false;
#endif

// A word's elements without their signs.
template <class T>
__device__ inline uint32_t topk_magnitudes(uint32_t word) {
  return word & (topk_per_word<T> == 2 ? 0x7fff7fffu : 0x7fffffffu);
}

// The larger of two words of magnitudes, element by element.
template <class T>
__device__ inline uint32_t topk_larger(uint32_t a, uint32_t b) {
  if constexpr (topk_per_word<T> == 1) {
    return ::max(a, b);
  } else {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    uint32_t larger;
    asm("max.u16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
    return larger;
#else
    return ::max(a & 0xffff0000u, b & 0xffff0000u) | ::max(a & 0xffffu, b & 0xffffu);
#endif
  }
}

// What TopKHalves compares of a word that may have signs.
template <class T, bool has_signs>
__device__ inline uint32_t topk_unsigned_halves(uint32_t word) {
  return has_signs ? TopKHalves<T>::magnitudes(word) : word;
}

// Every bit of the elements whose key is at least the bound (its bits once in each element).
// has_signs: false where the word is one of magnitudes.
// Two keys with the upper bit set, minus the bound twice: it stays set where a key is at least
// that.
template <class T, bool numbers, bool has_signs = true>
__device__ inline uint32_t topk_at_least(uint32_t word, uint32_t bounds) {
  if constexpr (topk_per_word<T> == 1) {
    const bool reached = numbers ? !(::fabsf(__uint_as_float(word)) < __uint_as_float(bounds))
                                 : MagnitudeKey<T>::raw(word) >= bounds;
    return reached ? ~0u : 0u;
  } else if constexpr (numbers && topk_compares_halves) {
    return TopKHalves<T>::at_least(topk_unsigned_halves<T, has_signs>(word), bounds);
  } else {
    const uint32_t reached = ((word | 0x80008000u) - bounds) & 0x80008000u;
    return reached | (reached - (reached >> 15));
  }
}

// Every bit of the elements whose key is the bound's; a bound that is no number stands for all
// NaNs.
template <class T, bool numbers, bool has_signs = true>
__device__ inline uint32_t topk_equal(uint32_t word, uint32_t bounds) {
  if constexpr (topk_per_word<T> == 1) {
    const bool same = numbers ? ::fabsf(__uint_as_float(word)) == __uint_as_float(bounds)
                              : MagnitudeKey<T>::of(word) == bounds;
    return same ? ~0u : 0u;
  } else if constexpr (numbers && topk_compares_halves) {
    return TopKHalves<T>::equal(topk_unsigned_halves<T, has_signs>(word), bounds);
  } else {
    uint32_t mask = 0;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const uint32_t key = MagnitudeKey<T>::of(static_cast<uint16_t>(word >> 16 * e));
      if (key == (bounds >> 16 * e & 0xffffu)) mask |= 0xffffu << 16 * e;
    }
    return mask;
  }
}

// Counts an f32 that has at least a bound, as numbers, in the lower bits of a float from 2^23 on:
// two instructions, a comparison and an addition of floats. What the compiler makes of `if (...)
// ++sum` are three, of which two are the ALU's: it takes a warp in two clocks, and the bisection
// waits for it.
__device__ inline uint32_t topk_count_float(uint32_t word, uint32_t bound, uint32_t counts) {
#if defined(__CUDA_ARCH__)
  asm("{ .reg .b32 magnitude; .reg .pred reached; abs.f32 magnitude, %1; "
      "setp.geu.f32 reached, magnitude, %2; @reached add.f32 %0, %0, 0f3F800000; }"
      : "+r"(counts)
      : "r"(word), "r"(bound));
  return counts;
#else
  return topk_at_least<float, true>(word, bound) != 0 ? counts + 1 : counts;
#endif
}

// Counts the elements that have at least a bound: of each element of the words by itself, fewer
// than 256 times.
template <class T, bool numbers, bool has_signs = true>
class TopKCount {
 public:
  __device__ explicit TopKCount(uint32_t bounds) : bounds_(bounds) {}

  __device__ void add(uint32_t word) {
    if constexpr (as_float) {
      sum_ = topk_count_float(word, bounds_, sum_);
    } else if constexpr (topk_per_word<T> == 1) {
      if (topk_at_least<T, false>(word, bounds_) != 0) ++sum_;
    } else if constexpr (as_halves) {
      sum_ = TopKHalves<T>::count(topk_unsigned_halves<T, has_signs>(word), bounds_, sum_);
    } else {
      sum_ += (((word | 0x80008000u) - bounds_) & 0x80008000u) >> 15;
    }
  }
  __device__ uint32_t of(int element) const {
    if constexpr (topk_per_word<T> == 1) {
      return sum_ - none;
    } else {
      return as_halves ? static_cast<uint32_t>(half(element)) : bits(element);
    }
  }
  // Of all elements of the words.
  __device__ uint32_t total() const {
    if constexpr (topk_per_word<T> == 1) {
      return sum_ - none;
    } else if constexpr (as_halves) {
      // With 2^23 added a number is in the lower bits of its float: conversions are slow.
      constexpr float unit = 8388608.0f;
      return __float_as_uint(half(0) + unit + half(1)) - __float_as_uint(unit);
    } else {
      return uint32_t{bits(0)} + bits(1);
    }
  }

 private:
  __device__ uint16_t bits(int element) const {
    return static_cast<uint16_t>(sum_ >> 16 * element);
  }
  __device__ float half(int element) const { return load(std::bit_cast<T>(bits(element))); }

  static constexpr bool as_halves = numbers && topk_compares_halves;
  static constexpr bool as_float = topk_per_word<T> == 1 && numbers;
  static constexpr uint32_t none = as_float ? 0x4b000000u : 0;  // 2^23
  uint32_t bounds_, sum_ = none;
};

}  // namespace GESTALT_CUDA_NAMESPACE
