#ifdef __AVX512F__

#include <immintrin.h>

#include "kernels/cpu/winograd_packed.h"
#include "kernels/cpu/winograd_simd.h"

namespace gestalt::cpu::winograd {
namespace {

struct Avx512 {
  using Reg = __m512;
  static constexpr int64_t lanes = 16;
  static constexpr int rows = 8;

  static __mmask16 mask(int64_t low, int64_t high) {
    return static_cast<__mmask16>(((1u << high) - 1) & ~((1u << low) - 1));
  }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load_some(const float* p, int64_t low, int64_t high) {
    return _mm512_maskz_loadu_ps(mask(low, high), p);
  }
  // Lanes [low, high) of p, the others as they were.
  static Reg load_into(Reg before, const float* p, int64_t low, int64_t high) {
    return _mm512_mask_loadu_ps(before, mask(low, high), p);
  }
  // columns[k] gets p[lane * stride + k] for k < 8, zero in lanes from `count` on.
  static void load_eight(const float* p, int64_t stride, int64_t count, Reg* columns) {
    Reg r[8];  // of rows i and i + 8, eight columns each
    for (int i = 0; i < 8; ++i) {
      const __m256 low = i < count ? _mm256_loadu_ps(p + i * stride) : _mm256_setzero_ps();
      const __m256 high =
          i + 8 < count ? _mm256_loadu_ps(p + (i + 8) * stride) : _mm256_setzero_ps();
      r[i] = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
    }
    // Four rows at a time: s[half][j] holds columns j and j + 4 of rows 0-3 or 4-7 (and 8 more).
    Reg s[2][4];
    for (int half = 0; half < 2; ++half) {
      const Reg *q = r + 4 * half, a = _mm512_unpacklo_ps(q[0], q[1]);
      const Reg b = _mm512_unpackhi_ps(q[0], q[1]);
      const Reg c = _mm512_unpacklo_ps(q[2], q[3]), d = _mm512_unpackhi_ps(q[2], q[3]);
      s[half][0] = _mm512_shuffle_ps(a, c, 0x44);
      s[half][1] = _mm512_shuffle_ps(a, c, 0xee);
      s[half][2] = _mm512_shuffle_ps(b, d, 0x44);
      s[half][3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (int j = 0; j < 4; ++j) {
      const __m512d a = _mm512_castps_pd(s[0][j]), b = _mm512_castps_pd(s[1][j]);
      columns[j] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, first, b));
      columns[j + 4] = _mm512_castpd_ps(_mm512_permutex2var_pd(a, second, b));
    }
  }
  // p[lane * stride].
  static Reg load_column(const float* p, int64_t stride, int64_t count) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i index = _mm512_mullo_epi32(lane, _mm512_set1_epi32(static_cast<int>(stride)));
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask(0, count), index, p, 4);
  }
  static void store(float* p, Reg a) { _mm512_storeu_ps(p, a); }
  static void store_some(float* p, Reg a, int64_t low, int64_t high) {
    _mm512_mask_storeu_ps(p, mask(low, high), a);
  }
  static Reg set(float a) { return _mm512_set1_ps(a); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg subtract(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg multiply(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg negative_fma(Reg a, Reg b, Reg c) { return _mm512_fnmadd_ps(a, b, c); }
  // a where either is NaN: NaN stays NaN.
  static Reg maximum(Reg a, Reg b) { return _mm512_max_ps(b, a); }

  // p holds 64 values in a row; d[j] gets those at 4 t + j.
  static void deinterleave(const Reg (&p)[4], Reg (&d)[4]) {
    const __m512i even =
        _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    const __m512i odd =
        _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
    const Reg a = _mm512_permutex2var_ps(p[0], even, p[1]);
    const Reg b = _mm512_permutex2var_ps(p[0], odd, p[1]);
    const Reg c = _mm512_permutex2var_ps(p[2], even, p[3]);
    const Reg e = _mm512_permutex2var_ps(p[2], odd, p[3]);
    d[0] = _mm512_shuffle_f32x4(a, c, 0x44);
    d[1] = _mm512_shuffle_f32x4(a, c, 0xee);
    d[2] = _mm512_shuffle_f32x4(b, e, 0x44);
    d[3] = _mm512_shuffle_f32x4(b, e, 0xee);
  }
  static void interleave(const Reg (&d)[4], Reg (&p)[4]) {
    const __m512i low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
    const __m512i high =
        _mm512_setr_epi32(4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
    const Reg a = _mm512_shuffle_f32x4(d[0], d[1], 0x44),
              b = _mm512_shuffle_f32x4(d[2], d[3], 0x44);
    const Reg c = _mm512_shuffle_f32x4(d[0], d[1], 0xee),
              e = _mm512_shuffle_f32x4(d[2], d[3], 0xee);
    p[0] = _mm512_permutex2var_ps(a, low, b);
    p[1] = _mm512_permutex2var_ps(a, high, b);
    p[2] = _mm512_permutex2var_ps(c, low, e);
    p[3] = _mm512_permutex2var_ps(c, high, e);
  }
  // Lanes move down by one; `last` comes in at the top.
  static Reg shift_in(Reg a, float last) {
    return _mm512_castsi512_ps(
        _mm512_alignr_epi32(_mm512_castps_si512(_mm512_set1_ps(last)), _mm512_castps_si512(a), 1));
  }
};

template <int kernel>
constexpr Kernels with_packs() {
  Kernels kernels = make_kernels<Avx512, kernel>();
  kernels.transform_packed_input = transform_packed_input<Avx512, kernel>;
  kernels.transform_packed_output = transform_packed_output<Avx512, kernel>;
  return kernels;
}

}  // namespace

const Kernels& avx512_kernels(int64_t kernel) {
  static constexpr Kernels of_3x3 = with_packs<3>(), of_5x5 = with_packs<5>();
  return kernel == 3 ? of_3x3 : of_5x5;
}

}  // namespace gestalt::cpu::winograd

#endif
