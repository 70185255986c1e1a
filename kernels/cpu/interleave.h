#pragma once

// Pixels of three channels between the formats, 8 pixels at a time:
//   deinterleave_3(pixels, planes, apart, count): planes[c * apart + i] = pixels[3 * i + c]
//   interleave_3(planes, apart, pixels, count): the way back

#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gestalt::cpu {

#if defined(__AVX2__)
namespace detail {

// Of three vectors, one lane in three each: 3 * i + c, counted through all three, stands in lane
// (3 * i + c) % 8 and is in its vector alone there.
inline __m256 every_third(__m256 a, __m256 b, __m256 c, int first) {
  switch (first) {
    case 0:
      return _mm256_blend_ps(_mm256_blend_ps(a, b, 0x92), c, 0x24);
    case 1:
      return _mm256_blend_ps(_mm256_blend_ps(a, b, 0x24), c, 0x49);
    default:
      return _mm256_blend_ps(_mm256_blend_ps(a, b, 0x49), c, 0x92);
  }
}

}  // namespace detail
#endif

template <class T>
void deinterleave_3(const T* pixels, T* planes, int64_t apart, int64_t count) {
  int64_t i = 0;
#if defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto* in = reinterpret_cast<const float*>(pixels);
    auto* out = reinterpret_cast<float*>(planes);
    const __m256i from[3] = {_mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5),
                             _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6),
                             _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7)};
    for (; i + 8 <= count; i += 8) {
      const __m256 a = _mm256_loadu_ps(in + 3 * i), b = _mm256_loadu_ps(in + 3 * i + 8),
                   c = _mm256_loadu_ps(in + 3 * i + 16);
      for (int channel = 0; channel < 3; ++channel) {
        _mm256_storeu_ps(
            out + channel * apart + i,
            _mm256_permutevar8x32_ps(detail::every_third(a, b, c, channel), from[channel]));
      }
    }
  }
#endif
  for (; i < count; ++i) {
    for (int channel = 0; channel < 3; ++channel) {
      planes[channel * apart + i] = pixels[3 * i + channel];
    }
  }
}

template <class T>
void interleave_3(const T* planes, int64_t apart, T* pixels, int64_t count) {
  int64_t i = 0;
#if defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto* in = reinterpret_cast<const float*>(planes);
    auto* out = reinterpret_cast<float*>(pixels);
    const __m256i to[3] = {_mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5),
                           _mm256_setr_epi32(5, 0, 3, 6, 1, 4, 7, 2),
                           _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7)};
    for (; i + 8 <= count; i += 8) {
      __m256 spread[3];
      for (int channel = 0; channel < 3; ++channel) {
        spread[channel] =
            _mm256_permutevar8x32_ps(_mm256_loadu_ps(in + channel * apart + i), to[channel]);
      }
      const auto [a, b, c] = spread;
      // The first vector has channel 0 in lanes 0, 3 and 6, the second begins with channel 2.
      _mm256_storeu_ps(out + 3 * i, _mm256_blend_ps(_mm256_blend_ps(a, b, 0x92), c, 0x24));
      _mm256_storeu_ps(out + 3 * i + 8, _mm256_blend_ps(_mm256_blend_ps(c, a, 0x92), b, 0x24));
      _mm256_storeu_ps(out + 3 * i + 16, _mm256_blend_ps(_mm256_blend_ps(b, c, 0x92), a, 0x24));
    }
  }
#endif
  for (; i < count; ++i) {
    for (int channel = 0; channel < 3; ++channel) {
      pixels[3 * i + channel] = planes[channel * apart + i];
    }
  }
}

}  // namespace gestalt::cpu
