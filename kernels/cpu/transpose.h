#pragma once

// transpose_8x8(from, from_stride, to, to_stride): to[j * to_stride + i] = from[i * from_stride +
// j] for i, j < 8; strides in elements of two or four bytes (others: plain loops).

#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gestalt::cpu {

#if defined(__AVX2__)

inline void transpose_8x8_words(const void* from, int64_t from_stride, void* to,
                                int64_t to_stride) {
  const auto* in = static_cast<const float*>(from);
  auto* out = static_cast<float*>(to);
  __m256 row[8], pair[8], quad[8];
  for (int i = 0; i < 8; ++i) row[i] = _mm256_loadu_ps(in + i * from_stride);
  for (int i = 0; i < 8; i += 2) {
    pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
    pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quad[i + 2 * j] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0x44);
      quad[i + 2 * j + 1] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0xee);
    }
  }
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(out + j * to_stride, _mm256_permute2f128_ps(quad[j], quad[j + 4], 0x20));
    _mm256_storeu_ps(out + (j + 4) * to_stride, _mm256_permute2f128_ps(quad[j], quad[j + 4], 0x31));
  }
}

inline void transpose_8x8_halves(const void* from, int64_t from_stride, void* to,
                                 int64_t to_stride) {
  const auto* in = static_cast<const uint16_t*>(from);
  auto* out = static_cast<uint16_t*>(to);
  __m128i row[8], pair[8], quad[8];
  for (int i = 0; i < 8; ++i) {
    row[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i * from_stride));
  }
  for (int i = 0; i < 8; i += 2) {
    pair[i] = _mm_unpacklo_epi16(row[i], row[i + 1]);
    pair[i + 1] = _mm_unpackhi_epi16(row[i], row[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quad[i + 2 * j] = _mm_unpacklo_epi32(pair[i + j], pair[i + j + 2]);
      quad[i + 2 * j + 1] = _mm_unpackhi_epi32(pair[i + j], pair[i + j + 2]);
    }
  }
  for (int j = 0; j < 4; ++j) {
    auto* even = reinterpret_cast<__m128i*>(out + 2 * j * to_stride);
    auto* odd = reinterpret_cast<__m128i*>(out + (2 * j + 1) * to_stride);
    _mm_storeu_si128(even, _mm_unpacklo_epi64(quad[j], quad[j + 4]));
    _mm_storeu_si128(odd, _mm_unpackhi_epi64(quad[j], quad[j + 4]));
  }
}

#endif

template <class T>
void transpose_8x8(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
#if defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return transpose_8x8_words(from, from_stride, to, to_stride);
  if constexpr (sizeof(T) == 2) return transpose_8x8_halves(from, from_stride, to, to_stride);
#endif
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
}

}  // namespace gestalt::cpu
