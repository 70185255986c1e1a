#pragma once

// 2-d convolution (cross-correlation), with gradients to input, weight and bias.
//
// x [N,C,H,W], weight [O,C/groups,KH,KW], bias [O] or undefined; y [N,O,OH,OW] with
// OH = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1, rounded down; all of one floating
// dtype and device. y has x's format; where x, of 1x1 pixels, has both, the weight's.
// Activation::relu, and Top-K behind it (desc.topk, see nn/topk.h), are applied in place of
// separate ops, and their gradient included. Only what the gradients asked for need is kept for
// backward: for the gradient to x alone, the weight, and y where an activation is fused.
//
// Accuracy in f32: by default Winograd on the CPU (kernels/cpu/winograd.h), TF32 on CUDA (factors
// of 10 bits); Context::set_exact forbids both.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

Shape conv2d_output_shape(const Tensor& x, const Tensor& weight, const Conv2dDesc& desc);

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dDesc& desc = {});

}  // namespace gestalt::nn
