#pragma once

// Elementwise functions of one tensor: floating dtypes, any shape. The result has x's dtype and a
// dense layout. NaN stays NaN.

#include "tensor/tensor.h"

namespace gestalt {

Tensor exp(const Tensor& x);

}  // namespace gestalt
