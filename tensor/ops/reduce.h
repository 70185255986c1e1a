#pragma once

// Reductions over some dimensions (none named: all): floating dtypes, any strides. Negative
// dimensions count from the end. keep_dims leaves them in with size 1. Sums are accumulated in f32
// or wider, so that partial sums of f32 may overflow, and in an order that does not depend on the
// number of threads.

#include <concepts>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

using Dims = std::vector<int>;

Tensor sum(const Tensor& x, const Dims& dims = {}, bool keep_dims = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keep_dims = false);
// Over one dimension. Templates, so that the braces of sum(x, {}) are no number.
template <std::integral Dim>
requires(!std::same_as<Dim, bool>) Tensor sum(const Tensor& x, Dim dim, bool keep_dims = false) {
  return sum(x, Dims{static_cast<int>(dim)}, keep_dims);
}
template <std::integral Dim>
requires(!std::same_as<Dim, bool>) Tensor mean(const Tensor& x, Dim dim, bool keep_dims = false) {
  return mean(x, Dims{static_cast<int>(dim)}, keep_dims);
}
// Of (x - mean)^2, over n - 1 where unbiased; two passes, so large offsets do no harm.
struct VarianceDesc {
  bool unbiased = true;
  bool keep_dims = false;
};
Tensor variance(const Tensor& x, const Dims& dims = {}, const VarianceDesc& desc = {});
// NaN wins. The gradient is shared equally by all maxima (minima), as in torch.amax; it is NaN
// where NaN won.
Tensor max(const Tensor& x, const Dims& dims = {}, bool keep_dims = false);
Tensor min(const Tensor& x, const Dims& dims = {}, bool keep_dims = false);
// i64, the lowest index of ties; NaN wins. No gradient.
Tensor argmax(const Tensor& x, int dim, bool keep_dims = false);

}  // namespace gestalt
