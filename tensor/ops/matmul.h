#pragma once

// Matrix products: a [..., M, K], b [..., K, N], y [..., M, N]; the leading dimensions broadcast as
// in NumPy. One floating dtype and device. Sums run in f32 (f64 for f64). Gradients to both.

#include "tensor/tensor.h"

namespace gestalt {

Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace gestalt
