#pragma once

// Resizing of x [N,C,H,W] to {height, width}, as torch.nn.functional.interpolate without antialias,
// with gradients. (Image resampling as Pillow does it is in data/.)

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor resize_nearest(const Tensor& x, Pair size);
Tensor resize_bilinear(const Tensor& x, Pair size, const ResizeDesc& desc = {});

}  // namespace gestalt::nn
