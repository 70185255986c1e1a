#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>

#include "kernels/cpu/winograd_simd.h"

namespace gestalt::cpu::winograd {
namespace {

struct Avx2 {
  using Reg = __m256;
  static constexpr int64_t lanes = 8;
  static constexpr int rows = 4;

  static __m256i mask(int64_t low, int64_t high) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i from = _mm256_set1_epi32(static_cast<int>(low) - 1);
    const __m256i to = _mm256_set1_epi32(static_cast<int>(high));
    return _mm256_and_si256(_mm256_cmpgt_epi32(lane, from), _mm256_cmpgt_epi32(to, lane));
  }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load_some(const float* p, int64_t low, int64_t high) {
    return _mm256_maskload_ps(p, mask(low, high));
  }
  // columns[k] gets p[lane * stride + k] for k < 8, zero in lanes from `count` on.
  static void load_eight(const float* p, int64_t stride, int64_t count, Reg* columns) {
    Reg r[8];
    for (int i = 0; i < 8; ++i) r[i] = i < count ? load(p + i * stride) : set(0);
    // Four rows at a time: s[half][j] holds columns j and j + 4 of rows 0-3 or 4-7.
    Reg s[2][4];
    for (int half = 0; half < 2; ++half) {
      const Reg *q = r + 4 * half, a = _mm256_unpacklo_ps(q[0], q[1]);
      const Reg b = _mm256_unpackhi_ps(q[0], q[1]);
      const Reg c = _mm256_unpacklo_ps(q[2], q[3]), d = _mm256_unpackhi_ps(q[2], q[3]);
      s[half][0] = _mm256_shuffle_ps(a, c, 0x44);
      s[half][1] = _mm256_shuffle_ps(a, c, 0xee);
      s[half][2] = _mm256_shuffle_ps(b, d, 0x44);
      s[half][3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    for (int j = 0; j < 4; ++j) {
      columns[j] = _mm256_permute2f128_ps(s[0][j], s[1][j], 0x20);
      columns[j + 4] = _mm256_permute2f128_ps(s[0][j], s[1][j], 0x31);
    }
  }
  // p[lane * stride].
  static Reg load_column(const float* p, int64_t stride, int64_t count) {
    alignas(32) float column[8] = {};
    for (int i = 0; i < count; ++i) column[i] = p[i * stride];
    return load(column);
  }
  static void store(float* p, Reg a) { _mm256_storeu_ps(p, a); }
  static void store_some(float* p, Reg a, int64_t low, int64_t high) {
    _mm256_maskstore_ps(p, mask(low, high), a);
  }
  static Reg set(float a) { return _mm256_set1_ps(a); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg subtract(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg multiply(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg negative_fma(Reg a, Reg b, Reg c) { return _mm256_fnmadd_ps(a, b, c); }
  // a where either is NaN: NaN stays NaN.
  static Reg maximum(Reg a, Reg b) { return _mm256_max_ps(b, a); }

  // p holds 32 values in a row; d[j] gets those at 4 t + j.
  static void deinterleave(const Reg (&p)[4], Reg (&d)[4]) {
    const Reg a = _mm256_permute2f128_ps(p[0], p[2], 0x20);  // tiles 0, 4
    const Reg b = _mm256_permute2f128_ps(p[0], p[2], 0x31);  // tiles 1, 5
    const Reg c = _mm256_permute2f128_ps(p[1], p[3], 0x20);  // tiles 2, 6
    const Reg e = _mm256_permute2f128_ps(p[1], p[3], 0x31);  // tiles 3, 7
    const Reg ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
    const Reg ce_low = _mm256_unpacklo_ps(c, e), ce_high = _mm256_unpackhi_ps(c, e);
    d[0] = _mm256_shuffle_ps(ab_low, ce_low, 0x44);
    d[1] = _mm256_shuffle_ps(ab_low, ce_low, 0xee);
    d[2] = _mm256_shuffle_ps(ab_high, ce_high, 0x44);
    d[3] = _mm256_shuffle_ps(ab_high, ce_high, 0xee);
  }
  static void interleave(const Reg (&d)[4], Reg (&p)[4]) {
    const Reg low01 = _mm256_unpacklo_ps(d[0], d[1]), high01 = _mm256_unpackhi_ps(d[0], d[1]);
    const Reg low23 = _mm256_unpacklo_ps(d[2], d[3]), high23 = _mm256_unpackhi_ps(d[2], d[3]);
    const Reg a = _mm256_shuffle_ps(low01, low23, 0x44);    // tiles 0, 4
    const Reg b = _mm256_shuffle_ps(low01, low23, 0xee);    // tiles 1, 5
    const Reg c = _mm256_shuffle_ps(high01, high23, 0x44);  // tiles 2, 6
    const Reg e = _mm256_shuffle_ps(high01, high23, 0xee);  // tiles 3, 7
    p[0] = _mm256_permute2f128_ps(a, b, 0x20);
    p[1] = _mm256_permute2f128_ps(c, e, 0x20);
    p[2] = _mm256_permute2f128_ps(a, b, 0x31);
    p[3] = _mm256_permute2f128_ps(c, e, 0x31);
  }
  // Lanes move down by one; `last` comes in at the top.
  static Reg shift_in(Reg a, float last) {
    const Reg down = _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
    return _mm256_blend_ps(down, _mm256_set1_ps(last), 0x80);
  }
};

}  // namespace

const Kernels& avx2_kernels(int64_t kernel) {
  static constexpr Kernels of_3x3 = make_kernels<Avx2, 3>(), of_5x5 = make_kernels<Avx2, 5>();
  return kernel == 3 ? of_3x3 : of_5x5;
}

}  // namespace gestalt::cpu::winograd

#endif
