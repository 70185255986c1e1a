#pragma once

// Reflection padding of x [N,C,H,W] (the edge itself is not repeated), with gradient. Each padding
// is non-negative and less than the input's size along its axis.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor reflection_pad2d(const Tensor& x, const Padding2d& padding);

}  // namespace gestalt::nn
