#pragma once

// y = x weight^T + bias: x [..., in], weight [out, in], bias [out] or undefined; y [..., out]. One
// floating dtype and device. Gradients to all three.

#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace gestalt::nn
