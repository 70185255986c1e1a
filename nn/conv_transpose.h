#pragma once

// 2-d transposed convolution, the gradient of conv2d to its input taken as an op of its own, with
// gradients to input, weight and bias.
//
// x [N,C,H,W], weight [C,O/groups,KH,KW], bias [O] or undefined; y [N,O,OH,OW] with
// OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1; all of one floating
// dtype and device. y has x's format. Runs on conv2d's kernels.
//
// Source: Zeiler et al. 2010; shapes as torch.nn.functional.conv_transpose2d.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

struct ConvTranspose2dDesc {
  Pair stride{1, 1};
  Pair padding{0, 0};
  Pair output_padding{0, 0};  // less than the stride
  Pair dilation{1, 1};
  int64_t groups = 1;
};

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dDesc& desc = {});

}  // namespace gestalt::nn
