#pragma once

// Views and rearrangements: any dtype. All but reshape of a tensor that is not contiguous, cat,
// stack and index_select share x's memory. Negative dimensions count from the end. Gradients flow
// to x in its own shape.

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
// Of one shape, along a new dimension before `dim`, in the result's counting.
Tensor stack(std::span<const Tensor> tensors, int dim = 0);
Tensor stack(std::initializer_list<Tensor> tensors, int dim = 0);

// y[..., k, ...] = x[..., indices[k], ...] at dimension `dim`: indices i64[K], each in [0, size),
// also more than once. The gradient adds up in the order of the indices, so the same inputs give
// the same bits; its time grows with K * x's elements on CUDA. Another index is an Error on the
// CPU; on CUDA, which is not waited for, its elements of y are NaN, or 0 in integers, and it adds
// no gradient.
Tensor index_select(const Tensor& x, int dim, const Tensor& indices);

}  // namespace gestalt
