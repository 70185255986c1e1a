#if defined(__AVX512BW__)

#include <immintrin.h>

#include "kernels/cpu/topk_simd.h"

namespace gestalt::cpu {
namespace {

struct Memory512 {
  using Vector = __m512i;
  static Vector load(const void* from) { return _mm512_loadu_si512(from); }
  static void store(void* to, Vector value) { _mm512_storeu_si512(to, value); }
  static void stream(void* to, Vector value) {
    _mm512_stream_si512(static_cast<__m512i*>(to), value);
  }
};

struct Float512 : Memory512 {
  using T = float;
  static constexpr int lanes = 16;
  static constexpr uint32_t octave = 1u << 23;
  static constexpr bool can_collect = true;

  static Vector broadcast(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
  static Vector load_first(const void* from, int count) {
    return _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << count) - 1), from);
  }
  static Vector magnitude(Vector bits) {
    return _mm512_and_si512(bits, broadcast(TopKKey<T>::magnitude));
  }
  static Vector key(Vector bits) {
    return _mm512_min_epu32(magnitude(bits), broadcast(TopKKey<T>::nan));
  }
  static uint32_t above(Vector a, Vector b) { return _mm512_cmpgt_epu32_mask(a, b); }
  static uint32_t equal(Vector a, Vector b) { return _mm512_cmpeq_epu32_mask(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_epu32(a, b); }
  static uint32_t max_lane(Vector a) { return _mm512_reduce_max_epu32(a); }
  static Vector select(Vector a, uint32_t mask) {
    return _mm512_maskz_mov_epi32(static_cast<__mmask16>(mask), a);
  }
  static void compress(void* to, Vector a, uint32_t mask) {
    store(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), a));
  }

  struct Counter {
    Vector counts = _mm512_setzero_si512();
    void add(Vector key, Vector below) {
      counts = _mm512_mask_add_epi32(counts, _mm512_cmpgt_epu32_mask(key, below), counts,
                                     _mm512_set1_epi32(1));
    }
    int64_t total() const { return _mm512_reduce_add_epi32(counts); }
  };
};

template <class Half>
struct Half512 : Memory512 {
  using T = Half;
  static constexpr int lanes = 32;
  static constexpr uint16_t octave = std::is_same_v<Half, bfloat16> ? 1 << 7 : 1 << 10;
  static constexpr bool can_collect = false;

  static Vector broadcast(uint16_t value) { return _mm512_set1_epi16(static_cast<short>(value)); }
  static Vector load_first(const void* from, int count) {
    return _mm512_maskz_loadu_epi16((1u << count) - 1, from);
  }
  static Vector magnitude(Vector bits) {
    return _mm512_and_si512(bits, broadcast(TopKKey<T>::magnitude));
  }
  static Vector key(Vector bits) {
    return _mm512_min_epu16(magnitude(bits), broadcast(TopKKey<T>::nan));
  }
  static uint32_t above(Vector a, Vector b) { return _mm512_cmpgt_epu16_mask(a, b); }
  static uint32_t equal(Vector a, Vector b) { return _mm512_cmpeq_epu16_mask(a, b); }
  static Vector max(Vector a, Vector b) { return _mm512_max_epu16(a, b); }
  static uint16_t max_lane(Vector a) {
    // Keys are below 2^15, so each half of a 32-bit lane can be compared as a whole lane.
    const Vector low = _mm512_and_si512(a, _mm512_set1_epi32(0xffff));
    const Vector high = _mm512_srli_epi32(a, 16);
    return static_cast<uint16_t>(_mm512_reduce_max_epu32(_mm512_max_epu32(low, high)));
  }
  static Vector select(Vector a, uint32_t mask) { return _mm512_maskz_mov_epi16(mask, a); }

  struct Counter {
    int64_t count = 0;
    void add(Vector key, Vector below) {
      count += __builtin_popcount(_mm512_cmpgt_epu16_mask(key, below));
    }
    int64_t total() const { return count; }
  };
};

}  // namespace

template <>
const TopKRows<float>& topk_rows_avx512() {
  return topk_rows_simd<Float512>;
}
template <>
const TopKRows<bfloat16>& topk_rows_avx512() {
  return topk_rows_simd<Half512<bfloat16>>;
}
template <>
const TopKRows<float16>& topk_rows_avx512() {
  return topk_rows_simd<Half512<float16>>;
}

}  // namespace gestalt::cpu

#endif
