#if defined(__AVX512BW__)

#include <immintrin.h>

#include "kernels/cpu/gram_simd.h"

namespace gestalt::cpu {
namespace {

struct Sum512 {
  using Vector = __m512;
  static constexpr int lanes = 16;
  static constexpr int columns = 4;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static Vector broadcast(float value) { return _mm512_set1_ps(value); }
  static void store(float* to, Vector value) { _mm512_storeu_ps(to, value); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static __m256 folded(Vector a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  }
  static void add_sums(const Vector (&sums)[columns], double* to) {
    const __m256 low = _mm256_hadd_ps(folded(sums[0]), folded(sums[1]));
    const __m256 high = _mm256_hadd_ps(folded(sums[2]), folded(sums[3]));
    const __m256 quads = _mm256_hadd_ps(low, high);  // 0 1 2 3 in each half
    const __m128 all = _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1));
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_cvtps_pd(all)));
  }
};

}  // namespace

const GramTiles& gram_tiles_avx512() {
  static constexpr GramTiles tiles{dots_simd<Sum512>, product_simd<Sum512>};
  return tiles;
}

}  // namespace gestalt::cpu

#endif
