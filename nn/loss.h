#pragma once

// Losses. Results have one element (rank 0) and are f32, or f64 for f64 inputs, whatever the
// inputs' dtype; sums are taken in f64 on the CPU.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// Sum or mean of (a - b)^2 over all elements of one shape. Gradients to both.
Tensor mse_loss(const Tensor& a, const Tensor& b, Reduction reduction = Reduction::mean);

struct CrossEntropyDesc {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;  // in [0, 1]: this much of the target is spread over all classes
};

// -log softmax(logits)[target], summed or averaged over rows: logits [N,C], target i64[N] in
// [0, C). Computed in f32 (f64) whatever the logits' dtype. Gradient to the logits.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyDesc& desc = {});

}  // namespace gestalt::nn
