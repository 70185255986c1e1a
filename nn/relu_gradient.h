#pragma once

// (internal to nn/) For the backward pass of an op that ends in a ReLU with result y: what of dy
// passes it, dy where y > 0 and 0 elsewhere, of y's shape, dtype and format. Written over dy where
// nobody else will read that: pass the tensor that backward() was given, not a copy.

#include "tensor/tensor.h"

namespace gestalt::nn {

Tensor relu_gradient(const Tensor& dy, const Tensor& y);

}  // namespace gestalt::nn
