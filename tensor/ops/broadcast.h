#pragma once

// NumPy broadcasting: ends are aligned, size 1 stretches (internal to tensor/ops/).

#include "tensor/tensor.h"

namespace gestalt {

// The shape that both broadcast to; throws Error naming `op` and both tensors.
Shape broadcast_shape(const char* op, const Tensor& a, const Tensor& b);
// The layout of a result of that shape: a's where a already has the shape, else b's.
Format broadcast_format(const Tensor& a, const Tensor& b, const Shape& shape);
// x seen with that shape (zero strides where it stretches). No gradient.
View broadcast_view(const Tensor& x, const Shape& shape);
// Sums a gradient over the dimensions that were stretched to get from `shape` to its shape.
Tensor reduce_to_shape(const Tensor& grad, const Shape& shape);

}  // namespace gestalt
