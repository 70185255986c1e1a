#if defined(__AVX2__)

#include <array>
#include <immintrin.h>

#include "kernels/cpu/topk_simd.h"

namespace gestalt::cpu {
namespace {

struct Memory256 {
  using Vector = __m256i;
  static Vector load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static void store(void* to, Vector value) {
    _mm256_storeu_si256(static_cast<__m256i*>(to), value);
  }
  static void stream(void* to, Vector value) {
    _mm256_stream_si256(static_cast<__m256i*>(to), value);
  }
  template <class Bits>
  static Vector load_padded(const Bits* from, int count) {
    Bits padded[32 / sizeof(Bits)] = {};
    std::memcpy(padded, from, count * sizeof(Bits));
    return load(padded);
  }
};

// For each mask of 8 lanes, the lanes that are set, first ones first.
constexpr std::array<std::array<int32_t, 8>, 256> compress_order = [] {
  std::array<std::array<int32_t, 8>, 256> order{};
  for (int mask = 0; mask < 256; ++mask) {
    int count = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if ((mask >> lane) & 1) order[mask][count++] = lane;
    }
  }
  return order;
}();

// Keys are below the sign bit, so the signed comparisons that AVX2 has are right for them.
struct Float256 : Memory256 {
  using T = float;
  static constexpr int lanes = 8;
  static constexpr uint32_t octave = 1u << 23;
  static constexpr bool can_collect = true;

  static Vector broadcast(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }
  static Vector load_first(const uint32_t* from, int count) { return load_padded(from, count); }
  static Vector magnitude(Vector bits) {
    return _mm256_and_si256(bits, broadcast(TopKKey<T>::magnitude));
  }
  static Vector key(Vector bits) {
    return _mm256_min_epu32(magnitude(bits), broadcast(TopKKey<T>::nan));
  }
  static uint32_t lane_mask(Vector lanes_all_or_none) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes_all_or_none)));
  }
  static uint32_t above(Vector a, Vector b) { return lane_mask(_mm256_cmpgt_epi32(a, b)); }
  static uint32_t equal(Vector a, Vector b) { return lane_mask(_mm256_cmpeq_epi32(a, b)); }
  static Vector max(Vector a, Vector b) { return _mm256_max_epu32(a, b); }
  static uint32_t max_lane(Vector a) {
    uint32_t lane[lanes];
    store(lane, a);
    uint32_t largest = 0;
    for (uint32_t value : lane) largest = value > largest ? value : largest;
    return largest;
  }
  static Vector select(Vector a, uint32_t mask) {
    const Vector bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const Vector chosen = _mm256_and_si256(broadcast(mask), bit);
    return _mm256_and_si256(a, _mm256_cmpeq_epi32(chosen, bit));
  }
  static void compress(void* to, Vector a, uint32_t mask) {
    store(to, _mm256_permutevar8x32_epi32(a, load(compress_order[mask].data())));
  }

  struct Counter {
    Vector counts = _mm256_setzero_si256();
    void add(Vector key, Vector below) {
      counts = _mm256_sub_epi32(counts, _mm256_cmpgt_epi32(key, below));
    }
    int64_t total() const {
      uint32_t lane[lanes];
      store(lane, counts);
      int64_t sum = 0;
      for (uint32_t value : lane) sum += value;
      return sum;
    }
  };
};

template <class Half>
struct Half256 : Memory256 {
  using T = Half;
  static constexpr int lanes = 16;
  static constexpr uint16_t octave = std::is_same_v<Half, bfloat16> ? 1 << 7 : 1 << 10;
  static constexpr bool can_collect = false;

  static Vector broadcast(uint16_t value) { return _mm256_set1_epi16(static_cast<short>(value)); }
  static Vector load_first(const uint16_t* from, int count) { return load_padded(from, count); }
  static Vector magnitude(Vector bits) {
    return _mm256_and_si256(bits, broadcast(TopKKey<T>::magnitude));
  }
  static Vector key(Vector bits) {
    return _mm256_min_epu16(magnitude(bits), broadcast(TopKKey<T>::nan));
  }
  static uint32_t lane_mask(Vector lanes_all_or_none) {
    return static_cast<uint32_t>(
        _mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(lanes_all_or_none),
                                          _mm256_extracti128_si256(lanes_all_or_none, 1))));
  }
  static uint32_t above(Vector a, Vector b) { return lane_mask(_mm256_cmpgt_epi16(a, b)); }
  static uint32_t equal(Vector a, Vector b) { return lane_mask(_mm256_cmpeq_epi16(a, b)); }
  static Vector max(Vector a, Vector b) { return _mm256_max_epu16(a, b); }
  static uint16_t max_lane(Vector a) {
    uint16_t lane[lanes];
    store(lane, a);
    uint16_t largest = 0;
    for (uint16_t value : lane) largest = value > largest ? value : largest;
    return largest;
  }
  static Vector select(Vector a, uint32_t mask) {
    const Vector bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                         8192, 16384, static_cast<short>(32768));
    const Vector chosen = _mm256_and_si256(broadcast(static_cast<uint16_t>(mask)), bit);
    return _mm256_and_si256(a, _mm256_cmpeq_epi16(chosen, bit));
  }

  struct Counter {
    int64_t count = 0;
    void add(Vector key, Vector below) {
      // Two bits a lane: halved in total(), which is cheaper than packing here.
      count += __builtin_popcount(
          static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi16(key, below))));
    }
    int64_t total() const { return count / 2; }
  };
};

}  // namespace

template <>
const TopKRows<float>& topk_rows_avx2() {
  return topk_rows_simd<Float256>;
}
template <>
const TopKRows<bfloat16>& topk_rows_avx2() {
  return topk_rows_simd<Half256<bfloat16>>;
}
template <>
const TopKRows<float16>& topk_rows_avx2() {
  return topk_rows_simd<Half256<float16>>;
}

}  // namespace gestalt::cpu

#endif
