#pragma once

// The distance of activations that LPIPS is made of (Zhang et al. 2018, "The Unreasonable
// Effectiveness of Deep Features as a Perceptual Metric", equation 1).

#include "tensor/tensor.h"

namespace gestalt::nn {

// a, b: [N,C,H,W] of one floating dtype; weight: [C], f32 (f64 for f64). The channels of each pixel
// are divided by their length, and their squared differences, times the weights, summed over C and
// averaged over H and W: [N], of weight's dtype. Sums are in that dtype too, so that activations of
// 16 bits serve.
//
// The length is sqrt(sum of x^2 + epsilon^2) + epsilon. The published form has no epsilon under the
// root; there it keeps the gradient finite where all channels are zero, and is lost in rounding
// elsewhere: finite in f32, f64 and bf16, that is, for f16 has no such numbers. Equal arrays have
// the distance 0, exactly. Gradients to a and b; none to the weight.
Tensor unit_distance(const Tensor& a, const Tensor& b, const Tensor& weight,
                     double epsilon = 1e-10);

}  // namespace gestalt::nn
