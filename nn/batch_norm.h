#pragma once

// Batch norm: y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each channel of x
// [N,C,H,W] or [N,C] (Ioffe and Szegedy 2015). Weight, bias and statistics are f32 [C] (f64 for f64
// x). Gradients to x, weight, bias and residual. A residual, of x's shape and dtype, where defined,
// is added to y; then desc.activation, and Top-K behind it (desc.topk, see nn/topk.h; not with a
// residual), are applied, in place of separate ops: the same bits, and their gradient included.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// By the batch's own statistics (biased variance). Running statistics, where defined, move towards
// them in place: running = (1 - momentum) running + momentum batch, with the unbiased variance.
// Needs more than one value a channel.
Tensor batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           const Tensor& running_mean, const Tensor& running_variance,
                           const BatchNormDesc& desc = {}, const Tensor& residual = {});

// By the running statistics, which are constants here.
Tensor batch_norm_inference(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& running_mean, const Tensor& running_variance,
                            const BatchNormDesc& desc = {}, const Tensor& residual = {});

}  // namespace gestalt::nn
