#if defined(__AVX2__)

#include <immintrin.h>

#include "kernels/cpu/gram_simd.h"

namespace gestalt::cpu {
namespace {

struct Sum256 {
  using Vector = __m256;
  static constexpr int lanes = 8;
  static constexpr int columns = 2;

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static Vector broadcast(float value) { return _mm256_set1_ps(value); }
  static void store(float* to, Vector value) { _mm256_storeu_ps(to, value); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static void add_sums(const Vector (&sums)[columns], double* to) {
    const __m256 pairs = _mm256_hadd_ps(sums[0], sums[1]);
    const __m256 quads = _mm256_hadd_ps(pairs, pairs);  // 0 1 0 1 in each half
    const __m128 both = _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1));
    _mm_storeu_pd(to, _mm_add_pd(_mm_loadu_pd(to), _mm_cvtps_pd(both)));
  }
};

}  // namespace

const GramTiles& gram_tiles_avx2() {
  static constexpr GramTiles tiles{dots_simd<Sum256>, product_simd<Sum256>};
  return tiles;
}

}  // namespace gestalt::cpu

#endif
