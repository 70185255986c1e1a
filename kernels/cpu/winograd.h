#pragma once

// Winograd convolution in f32, F(4x4, 3x3) and F(4x4, 5x5): 36 products a tile of 16 outputs
// instead of 144, and 64 instead of 400 (Lavin and Gray 2016, arXiv:1509.09308), reading and
// writing contiguous N, C, H, W directly.
//
// Error, measured against f64 on VGG-19's layers: relative rms 4e-7 (3 channels) to 2.2e-6 (512),
// the largest 5e-5 of the rms. Over its depth (tests/ops/conv_depth_test.cpp): 7e-7 at
// relu1_1, 1.7e-6 at pool4, 2.6e-6 for the gradient to the image; the exact path has 1e-7, 8e-7 and
// 3e-7. 5x5, against the exact path: 1.6e-6 (3 channels), 3.2e-6 (64) and 6e-6 (256), the largest
// 8e-5. An infinite or NaN input reaches all 16 outputs of its tiles. Context::exact() forbids it
// (conv.cpp).
//
// A sum over channels is one fma after the other in the order of the channels, for every output
// alone: the result depends on neither threads, blocks nor batch. Vector width (AVX2 or AVX-512)
// changes no bit either.

#include "kernels/context.h"
#include "kernels/types.h"

namespace gestalt::cpu {

namespace winograd {
struct Kernels;  // winograd_kernels.h
}

// y[n, o] = activation(bias[o] + sum over c of x[n, c] * w(o, c)), a correlation with stride 1.
struct WinogradConv {
  const float* x;  // [batch, inputs, height, width]
  float* y;        // [batch, outputs, height + 2 padding_h + 1 - kernel, ...]
  int64_t batch, inputs, outputs, height, width;
  int64_t padding_h, padding_w;
  int64_t kernel;  // 3 or 5
  // The weights [kernel, kernel] from input c to output o begin at w + o * output_stride +
  // c * input_stride.
  const float* w;
  int64_t output_stride, input_stride;
  bool rotated = false;         // weights turned by 180 degrees (the gradient to the data)
  const float* bias = nullptr;  // [outputs]
  bool relu = false;
};

// Whether this build has it (x86 with AVX2, its baseline there).
bool winograd_available();

// By the inner loops for this processor, or by those that a test wants.
void winograd_conv(Context& context, const WinogradConv& conv);
void winograd_conv(Context& context, const WinogradConv& conv, const winograd::Kernels& kernels);

}  // namespace gestalt::cpu
