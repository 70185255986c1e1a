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
  static double sum(Vector a) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
  }
};

}  // namespace

const GramTiles& gram_tiles_avx2() {
  static constexpr GramTiles tiles{dots_simd<Sum256>, product_simd<Sum256>};
  return tiles;
}

}  // namespace gestalt::cpu

#endif
