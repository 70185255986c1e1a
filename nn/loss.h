#pragma once

// Losses. Results have one element (rank 0) and are f32, or f64 for f64 inputs, whatever the
// inputs' dtype; sums are taken in f64 on the CPU.

#include <cstdint>

#include "tensor/tensor.h"

namespace gestalt::nn {

enum class Reduction : uint8_t { mean, sum };

// Sum or mean of (a - b)^2 over all elements of one shape. Gradients to both.
Tensor mse_loss(const Tensor& a, const Tensor& b, Reduction reduction = Reduction::mean);
// The same of |a - b|; the gradient is 0 where a = b.
Tensor l1_loss(const Tensor& a, const Tensor& b, Reduction reduction = Reduction::mean);

struct CrossEntropyDesc {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;  // in [0, 1]: this much of the target is spread over all classes
};

// -log softmax(logits)[target], summed or averaged over rows: logits [N,C], target i64[N] in
// [0, C). Computed in f32 (f64) whatever the logits' dtype. Gradient to the logits.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyDesc& desc = {});

// Sum or mean of -target log(p) - (1 - target) log(1 - p) with p = sigmoid(logits), over all
// elements of one shape; target of any floating dtype, usually in [0, 1]. Finite for every finite
// logit. Computed in f32 (f64 for f64 logits) whatever the dtypes. Gradients to both.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction = Reduction::mean);

}  // namespace gestalt::nn
