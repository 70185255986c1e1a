#pragma once

// Pooling of x [N,C,H,W], any floating dtype, to y [N,C,OH,OW], in x's format, with gradients.
//
// OH = (H + 2 padding - kernel) / stride + 1, rounded down, or up with ceil_mode (where no window
// starts beyond the padded input); the stride is the kernel's size where none is given, as in
// PyTorch. Padding is at most half the kernel. Maxima: NaN wins, the first of equals gets the
// gradient.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor max_pool2d(const Tensor& x, const Pool2dDesc& desc = {});
Tensor avg_pool2d(const Tensor& x, const Pool2dDesc& desc = {});
// Output (i, j) is the mean over rows floor(i H / OH) to ceil((i + 1) H / OH), columns alike.
Tensor adaptive_avg_pool2d(const Tensor& x, Pair output_size);

}  // namespace gestalt::nn
