#ifdef __AVX512F__

#include <immintrin.h>

#include "kernels/cpu/conv_1x1.h"

namespace gestalt::cpu {
namespace {

constexpr int64_t lanes = 16;

// A strip of pixels: their copy, their place in the plane of the first output, and which lanes of
// the last vector they fill.
struct Strip {
  const float* x;  // [inputs, V, lanes]
  float* y;
  __mmask16 last;

  __mmask16 mask(int vector, int vectors) const {
    return vector == vectors - 1 ? last : static_cast<__mmask16>(0xffff);
  }
};

// R outputs, from `first` on, at V vectors of pixels: a register for each sum.
template <int R, int V>
inline void tile(const Conv1x1& conv, const Strip& strip, int64_t first) {
  __m512 sums[R][V];
  for (int i = 0; i < R; ++i) {
    const __m512 bias = _mm512_set1_ps(conv.bias != nullptr ? conv.bias[first + i] : 0);
    for (int j = 0; j < V; ++j) sums[i][j] = bias;
  }
  const float* w = conv.w + first * conv.output_stride;
  const float* x = strip.x;
  for (int64_t c = 0; c < conv.inputs; ++c) {
    __m512 pixels[V];
    for (int j = 0; j < V; ++j) pixels[j] = _mm512_load_ps(x + j * lanes);
    for (int i = 0; i < R; ++i) {
      const __m512 weight = _mm512_set1_ps(w[i * conv.output_stride]);
      for (int j = 0; j < V; ++j) sums[i][j] = _mm512_fmadd_ps(weight, pixels[j], sums[i][j]);
    }
    w += conv.input_stride;
    x += V * lanes;
  }
  for (int i = 0; i < R; ++i) {
    float* y = strip.y + (first + i) * conv.pixels;
    for (int j = 0; j < V; ++j) {
      // Of NaN and of equals max gives its second operand: NaN and -0 stay.
      const __m512 sum = conv.relu ? _mm512_max_ps(_mm512_setzero_ps(), sums[i][j]) : sums[i][j];
      _mm512_mask_storeu_ps(y + j * lanes, strip.mask(j, V), sum);
    }
  }
}

// A strip of V vectors, whose tiles are R outputs high. Its pixels are copied into one row, which
// all tiles read from beginning to end.
template <int R, int V>
void strip_of(const Conv1x1& conv, int64_t image, int64_t first, int64_t end, int64_t pixel,
              int64_t count, float* copy) {
  const Strip strip{copy, conv.y + image * conv.outputs * conv.pixels + pixel,
                    static_cast<__mmask16>((1u << (count - lanes * (V - 1))) - 1)};
  const float* x = conv.x + image * conv.inputs * conv.pixels + pixel;
  for (int64_t c = 0; c < conv.inputs; ++c) {
    for (int j = 0; j < V; ++j) {
      _mm512_store_ps(copy + (c * V + j) * lanes,
                      _mm512_maskz_loadu_ps(strip.mask(j, V), x + c * conv.pixels + j * lanes));
    }
  }
  for (; first + R <= end; first += R) tile<R, V>(conv, strip, first);
  for (; first + 2 <= end; first += 2) tile<2, V>(conv, strip, first);
  if (first < end) tile<1, V>(conv, strip, first);
}

}  // namespace

// R V sums, V vectors of pixels and a weight are at most the 32 registers.
void conv_1x1_avx512(const Conv1x1& conv, int64_t image, int64_t first, int64_t end, int64_t pixel,
                     int64_t count, float* strip) {
  if (count > 3 * lanes) return strip_of<6, 4>(conv, image, first, end, pixel, count, strip);
  if (count > 2 * lanes) return strip_of<8, 3>(conv, image, first, end, pixel, count, strip);
  if (count > lanes) return strip_of<12, 2>(conv, image, first, end, pixel, count, strip);
  strip_of<16, 1>(conv, image, first, end, pixel, count, strip);
}

}  // namespace gestalt::cpu

#endif
