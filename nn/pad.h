#pragma once

// Padding of x [N,C,H,W], with gradient. Each padding is non-negative.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// With one value: any dtype. A convolution pads by zeros itself, the same on opposite sides.
Tensor constant_pad2d(const Tensor& x, const Padding2d& padding, double value = 0);

// By reflection (the edge itself is not repeated): each padding is less than the input's size along
// its axis.
Tensor reflection_pad2d(const Tensor& x, const Padding2d& padding);

}  // namespace gestalt::nn
