#pragma once

// Resizing of x [N,C,H,W], any floating dtype, to {height, width}, as
// torch.nn.functional.interpolate without antialias, in x's format, with gradients. (Image
// resampling as Pillow does it is in data/.) Error: a size below 1, in x or asked for.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor resize_nearest(const Tensor& x, Pair size);
Tensor resize_bilinear(const Tensor& x, Pair size, const ResizeDesc& desc = {});

}  // namespace gestalt::nn
