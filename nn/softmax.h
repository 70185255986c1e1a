#pragma once

// Softmax and its logarithm along one dimension of x, any floating dtype and shape; negative
// dimensions count from the end. Shifted by the largest value, so that nothing overflows. The
// result has x's shape and dtype (f32 under autocast) and is contiguous unless `dim` is not the
// last. Gradients to x. Error: another dtype, no dimension, no such `dim`.

#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor softmax(const Tensor& x, int dim = -1);
Tensor log_softmax(const Tensor& x, int dim = -1);

}  // namespace gestalt::nn
