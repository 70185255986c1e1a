#pragma once

// Views and rearrangements: any dtype. All but reshape of a tensor that is not contiguous, and cat,
// share x's memory. Negative dimensions count from the end. Gradients flow to x in its own shape.

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

Tensor reshape(const Tensor& x, Shape shape);  // one size may be -1; in logical order
Tensor flatten(const Tensor& x, int start_dim = 0);
Tensor permute(const Tensor& x, std::span<const int> dims);  // y's dim i is x's dims[i]
Tensor permute(const Tensor& x, std::initializer_list<int> dims);
Tensor transpose(const Tensor& x, int dim0, int dim1);
Tensor narrow(const Tensor& x, int dim, int64_t start, int64_t length);
Tensor select(const Tensor& x, int dim, int64_t index);  // without the dimension
Tensor squeeze(const Tensor& x, int dim);                // of size 1
Tensor unsqueeze(const Tensor& x, int dim);              // before `dim`, in the result's counting
// As broadcasting does, with zero strides; -1 leaves the size of a dimension that x has.
Tensor expand(const Tensor& x, const Shape& shape);

// Along an existing dimension; the layout of the first.
Tensor cat(std::span<const Tensor> tensors, int dim);
Tensor cat(std::initializer_list<Tensor> tensors, int dim);

}  // namespace gestalt
