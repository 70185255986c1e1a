#pragma once

// 1x1 convolution of stride 1 in f32, reading and writing contiguous N, C, H, W directly: oneDNN
// moves such images to channels-last and back, and the weights with them, at each call.
//
// A sum over channels begins with the bias, then comes one fma after the other in the order of the
// channels, for every output alone: the result depends on neither threads, blocks nor batch.

#include "kernels/context.h"
#include "kernels/types.h"

namespace gestalt::cpu {

// y[n, o] = activation(bias[o] + sum over c of w(o, c) x[n, c])
struct Conv1x1 {
  const float* x;  // [batch, inputs, pixels]
  float* y;        // [batch, outputs, pixels]
  int64_t batch, inputs, outputs, pixels;
  // The weight from input c to output o stands at w + o * output_stride + c * input_stride.
  const float* w;
  int64_t output_stride, input_stride;
  const float* bias = nullptr;  // [outputs]
  bool relu = false;            // x < 0 ? 0 : x, so that NaN stays NaN
};

// Whether this processor has it (AVX-512).
bool conv_1x1_available();

void conv_1x1(Context& context, const Conv1x1& conv);

// Pixels of one image that are summed together.
inline constexpr int64_t conv_1x1_strip = 64;

// What one thread does at once: outputs first to end of `image`, at pixels `pixel` to
// pixel + count; 0 < count <= conv_1x1_strip. `strip` has room for a strip of each input, aligned
// to 64 bytes.
void conv_1x1_avx512(const Conv1x1& conv, int64_t image, int64_t first, int64_t end, int64_t pixel,
                     int64_t count, float* strip);

}  // namespace gestalt::cpu
