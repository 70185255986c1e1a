#pragma once

// Elements side by side as vectors of the type that they are accumulated in. Written in the
// compilers' vector extension, so that one source serves every processor: a loop with a choice in
// it is left scalar too easily.
//
//   Lanes<float, 8> a = load_lanes<8>(x);           // x[0] to x[7], widened
//   store_lanes<8>(narrow_lanes<float, 8>(a * b), y);  // narrowed as widen.h narrows
//   for_runs<T>(0, n, [&]<int lanes, int vectors>(int64_t i, Run<lanes, vectors>) { ... });

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/widen.h"
#include "kernels/types.h"

namespace gestalt::cpu {

template <class E, int count>
struct LanesOf {
  typedef E Type __attribute__((vector_size(count * sizeof(E))));
};
template <class E>
struct LanesOf<E, 1> {
  using Type = E;
};
// `count` of E, a power of two; one is E itself.
template <class E, int count>
using Lanes = typename LanesOf<E, count>::Type;

// What lanes are of, and how many they are.
template <class V>
auto first_lane(const V& values) {
  if constexpr (std::is_arithmetic_v<V>) {
    return values;
  } else {
    return values[0];
  }
}
template <class V>
using LaneElement = decltype(first_lane(std::declval<V>()));
template <class V>
inline constexpr int lanes_in = sizeof(V) / sizeof(LaneElement<V>);

// from[0] to from[count - 1]
template <int count, class T>
Lanes<accumulate_t<T>, count> load_lanes(const T* from) {
  using Sums = Lanes<accumulate_t<T>, count>;
  if constexpr (count == 1) {
    return widened(*from);
  } else if constexpr (std::is_same_v<T, accumulate_t<T>>) {
    Sums sums;
    std::memcpy(&sums, from, sizeof(sums));
    return sums;
  } else if constexpr (std::is_same_v<T, bfloat16>) {
#if defined(__AVX2__)
    if constexpr (count == 8) {
      const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      return std::bit_cast<Sums>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    }
    if constexpr (count == 4) {  // GCC takes vectors of 8 bytes apart
      const __m128i halves = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
      return std::bit_cast<Sums>(_mm_slli_epi32(_mm_cvtepu16_epi32(halves), 16));
    }
#endif
    Lanes<uint16_t, count> halves;
    std::memcpy(&halves, from, sizeof(halves));
    return std::bit_cast<Sums>(__builtin_convertvector(halves, Lanes<uint32_t, count>) << 16);
  } else {
#if defined(__F16C__)
    if constexpr (count == 8) {
      return std::bit_cast<Sums>(
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
    }
    if constexpr (count == 4) {
      return std::bit_cast<Sums>(
          _mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
    }
#endif
    Sums sums;
    for (int j = 0; j < count; ++j) sums[j] = widened(from[j]);
    return sums;
  }
}

// x in every lane, to the bit: 0 + x is +0 where x is -0.
template <int count, class T>
Lanes<T, count> repeated_lanes(T x) {
  return x - Lanes<T, count>{};
}

// What an element is stored as.
template <class T>
using Stored = std::conditional_t<sizeof(T) == 2, uint16_t, T>;

template <class T, int count>
Lanes<Stored<T>, count> narrow_lanes(const Lanes<accumulate_t<T>, count>& sums) {
  if constexpr (std::is_same_v<T, accumulate_t<T>>) {
    return sums;
  } else if constexpr (count == 1) {
    return narrowed<T>(sums).bits;
  } else if constexpr (std::is_same_v<T, bfloat16>) {  // as bfloat16's constructor rounds
    const auto bits = std::bit_cast<Lanes<uint32_t, count>>(sums);
    const auto rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const auto quiet = (bits >> 16) | 0x40;
    const auto chosen = sums != sums ? quiet : rounded;
#if defined(__AVX2__)
    if constexpr (count == 8) {
      const auto wide = std::bit_cast<__m256i>(chosen);
      return std::bit_cast<Lanes<uint16_t, 8>>(
          _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1)));
    }
#endif
    return __builtin_convertvector(chosen, Lanes<uint16_t, count>);
  } else {
    using Halves = Lanes<uint16_t, count>;
#if defined(__F16C__)
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT;
    if constexpr (count == 8) {
      return std::bit_cast<Halves>(_mm256_cvtps_ph(std::bit_cast<__m256>(sums), nearest));
    }
    if constexpr (count == 4) {
      const auto both =
          std::bit_cast<Lanes<uint64_t, 2>>(_mm_cvtps_ph(std::bit_cast<__m128>(sums), nearest));
      return std::bit_cast<Halves>(uint64_t{both[0]});
    }
#endif
    Halves halves{};
    for (int j = 0; j < count; ++j) halves[j] = narrowed<T>(sums[j]).bits;
    return halves;
  }
}

template <int count, class T>
void store_lanes(const Lanes<Stored<T>, count>& values, T* to) {
  std::memcpy(static_cast<void*>(to), &values, sizeof(values));
}

// a * b + c, rounded once where the processor has that, which takes half the time.
template <class V>
V fused(const V& a, const V& b, const V& c) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 16) {
    return std::bit_cast<V>(_mm512_fmadd_ps(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b),
                                            std::bit_cast<__m512>(c)));
  }
#endif
#if defined(__FMA__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 8) {
    return std::bit_cast<V>(_mm256_fmadd_ps(std::bit_cast<__m256>(a), std::bit_cast<__m256>(b),
                                            std::bit_cast<__m256>(c)));
  } else if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 4) {
    return std::bit_cast<V>(
        _mm_fmadd_ps(std::bit_cast<__m128>(a), std::bit_cast<__m128>(b), std::bit_cast<__m128>(c)));
  } else if constexpr (std::is_same_v<LaneElement<V>, double> && lanes_in<V> == 4) {
    return std::bit_cast<V>(_mm256_fmadd_pd(std::bit_cast<__m256d>(a), std::bit_cast<__m256d>(b),
                                            std::bit_cast<__m256d>(c)));
  } else if constexpr (lanes_in<V> == 1) {
    return std::fma(a, b, c);
  } else {
    V result;
    for (int j = 0; j < lanes_in<V>; ++j) result[j] = std::fma(a[j], b[j], c[j]);
    return result;
  }
#else
  return a * b + c;
#endif
}

// a > b ? a : b, and a < b ? a : b, so that b stays where one of them is NaN. Compilers leave two
// instructions, or three, of a choice between vectors.
template <class V>
V larger(const V& a, const V& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 16) {
    return std::bit_cast<V>(_mm512_max_ps(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b)));
  }
#endif
#if defined(__AVX2__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 8) {
    return std::bit_cast<V>(_mm256_max_ps(std::bit_cast<__m256>(a), std::bit_cast<__m256>(b)));
  }
#endif
  return a > b ? a : b;
}
template <class V>
V smaller(const V& a, const V& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 16) {
    return std::bit_cast<V>(_mm512_min_ps(std::bit_cast<__m512>(a), std::bit_cast<__m512>(b)));
  }
#endif
#if defined(__AVX2__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 8) {
    return std::bit_cast<V>(_mm256_min_ps(std::bit_cast<__m256>(a), std::bit_cast<__m256>(b)));
  }
#endif
  return a < b ? a : b;
}

// NaN stays.
template <class V>
V absolute(const V& values) {
  return values < V{} ? -values : values;
}

// The lower half of the lanes and the upper one, and one of two: compilers go through memory.
template <class V>
using HalfOf = Lanes<LaneElement<V>, lanes_in<V> / 2>;

template <class V>
std::array<HalfOf<V>, 2> halves(const V& values) {
#if defined(__AVX2__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 8) {
    const auto both = std::bit_cast<__m256>(values);
    return {std::bit_cast<HalfOf<V>>(_mm256_castps256_ps128(both)),
            std::bit_cast<HalfOf<V>>(_mm256_extractf128_ps(both, 1))};
  }
#endif
  return std::bit_cast<std::array<HalfOf<V>, 2>>(values);
}

template <class V>
V joined(const HalfOf<V>& low, const HalfOf<V>& high) {
#if defined(__AVX2__)
  if constexpr (std::is_same_v<LaneElement<V>, float> && lanes_in<V> == 8) {
    return std::bit_cast<V>(
        _mm256_set_m128(std::bit_cast<__m128>(high), std::bit_cast<__m128>(low)));
  }
#endif
  return std::bit_cast<V>(std::array{low, high});
}

// Of another type of element.
template <class E, int count, class From>
Lanes<E, count> convert_lanes(const From& values) {
  if constexpr (count == 1) {
    return static_cast<E>(values);
  } else {
#if defined(__AVX2__)
    if constexpr (count == 4 && std::is_same_v<E, double> &&
                  std::is_same_v<LaneElement<From>, float>) {  // GCC converts two at a time
      return std::bit_cast<Lanes<double, 4>>(_mm256_cvtps_pd(std::bit_cast<__m128>(values)));
    }
#endif
    return __builtin_convertvector(values, Lanes<E, count>);
  }
}

template <class V>
auto to_doubles(const V& values) {
  return convert_lanes<double, lanes_in<V>>(values);
}

// from[0], from[apart] and so on, apart 1 or 2; nothing behind the last of them is read.
template <int count, int64_t apart, class T>
Lanes<accumulate_t<T>, count> load_lanes(const T* from) {
  static_assert(apart == 1 || apart == 2);
  if constexpr (apart == 1 || count == 1) {
    return load_lanes<count>(from);
  } else {
    const auto low = load_lanes<count>(from), high = load_lanes<count>(from + count - 1);
#if defined(__clang__)
    if constexpr (count == 2) return __builtin_shufflevector(low, high, 0, 3);
    if constexpr (count == 4) return __builtin_shufflevector(low, high, 0, 2, 5, 7);
    if constexpr (count == 8) {
      return __builtin_shufflevector(low, high, 0, 2, 4, 6, 9, 11, 13, 15);
    }
#else
    using Index = std::conditional_t<sizeof(accumulate_t<T>) == 4, int32_t, int64_t>;
    using Order = Lanes<Index, count>;
    if constexpr (count == 2) return __builtin_shuffle(low, high, Order{0, 3});
    if constexpr (count == 4) return __builtin_shuffle(low, high, Order{0, 2, 5, 7});
    if constexpr (count == 8) {
      return __builtin_shuffle(low, high, Order{0, 2, 4, 6, 9, 11, 13, 15});
    }
#endif
  }
}

// How many fill a vector of AVX2.
template <class T>
inline constexpr int full_lanes = 32 / sizeof(accumulate_t<T>);

template <int lanes>
using LaneCount = std::integral_constant<int, lanes>;

// body(LaneCount, i) for vectors that cover [0, end), then element by element.
template <class T, class Body>
void for_lanes(int64_t end, const Body& body) {
  constexpr int lanes = full_lanes<T>;
  int64_t i = 0;
  for (; i + lanes <= end; i += lanes) body(LaneCount<lanes>{}, i);
  for (; i < end; ++i) body(LaneCount<1>{}, i);
}

// A run of elements: `vectors` vectors of `lanes` each.
template <int lanes_, int vectors_>
struct Run {
  static constexpr int lanes = lanes_, vectors = vectors_;
  static constexpr int64_t size = lanes * vectors;
};

// body(i, Run) for runs that cover [begin, end); the last may overlap the one before it, so the
// body must give the same result a second time.
template <class T, class Body>
void for_runs(int64_t begin, int64_t end, const Body& body) {
  constexpr int lanes = full_lanes<T>;
  using Long = Run<lanes, 4>;
  int64_t i = begin;
  for (; i + Long::size <= end; i += Long::size) body(i, Long{});
  const auto rest = [&](auto run) {
    for (; i < end; i += run.size) body(std::min(i, end - run.size), run);
  };
  if (end - begin >= lanes) {
    rest(Run<lanes, 1>{});
  } else if (end - begin >= lanes / 2) {
    rest(Run<lanes / 2, 1>{});
  } else {
    rest(Run<1, 1>{});
  }
}

}  // namespace gestalt::cpu
