#pragma once

// Spatial Top-K of x [N,C,H,W], any floating dtype, either memory format (kept in the result).
//
// Every row (n, c) of L = H*W values keeps its k largest in magnitude and the rest becomes 0
// (keep), or those k become 0 and the rest stays (reverse). Order: magnitude bits, NaN above
// infinity; +0 and -0 tie; of equal ones the lowest index h*W + w is kept. What is dropped becomes
// +0 whatever it was (multiplying by a mask would make NaN of a dropped infinity).
//
// y = tau * sparse + (1 - tau) * x. Gradient: dx = tau * (dy where passed on, else 0) +
// (1 - tau) * dy. What is saved for it is one bit an element.
//
// With a fraction in (0, 1], k = topk_count(fraction, H, W); fraction 1 is the identity in every
// mode. From "Emergence of Shape Bias in Convolutional Neural Networks through Activation Sparsity"
// (Li et al., 2023).

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// int(max(1, fraction * h * w)), as Python computes it: in double, left to right, truncated.
int64_t topk_count(double fraction, int64_t h, int64_t w);

Tensor topk(const Tensor& x, const TopKDesc& desc);
Tensor topk(const Tensor& x, double fraction, TopKMode mode = TopKMode::keep, float tau = 1);

// topk(relu(x + bias)), bias [C] or undefined, as one op: the same bits as those one after the
// other. With tau = 1 nothing but y is saved for the gradient, which passes where y > 0.
Tensor relu_topk(const Tensor& x, const TopKDesc& desc, const Tensor& bias = {});
Tensor relu_topk(const Tensor& x, double fraction, TopKMode mode = TopKMode::keep, float tau = 1,
                 const Tensor& bias = {});

// What a layer asks of the Top-K that ends it: a ReLU before it, tau = 1, a k that its result
// y [N,C,H,W] has. Throws Error naming `op`.
void check_fused_topk(const char* op, Activation activation, const FusedTopK& topk, const Shape& y);

// The k largest by signed value, each replaced by the mean of those k; the rest becomes 0. The
// gradient at a kept slot is the mean of the incoming gradient over the kept slots.
Tensor topk_mean_replace(const Tensor& x, int64_t k);
Tensor topk_mean_replace(const Tensor& x, double fraction);

}  // namespace gestalt::nn
