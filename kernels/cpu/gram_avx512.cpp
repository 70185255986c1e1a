#if defined(__AVX512BW__)

// GCC 12 takes the undefined vectors inside its own intrinsics for uninitialized variables.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

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
  static double sum(Vector a) { return _mm512_reduce_add_ps(a); }
};

}  // namespace

const GramTiles& gram_tiles_avx512() {
  static constexpr GramTiles tiles{dots_simd<Sum512>, product_simd<Sum512>};
  return tiles;
}

}  // namespace gestalt::cpu

#endif
