#pragma once

// Gram matrices of feature maps x [N,C,H,W], any floating dtype (f32 results are accurate to about
// 3e-7 of the sum of magnitudes). Symmetric to the bit. Gradient: dx = scale * (dy + dy^T) A.
// Gatys, Ecker and Bethge, "Texture Synthesis Using Convolutional Neural Networks" (2015).

#include "tensor/tensor.h"

namespace gestalt::nn {

// The published form: A = x as [N*C, H*W]; A A^T / (N*C*H*W), [N*C, N*C].
Tensor gram_matrix(const Tensor& x);

// One an image, for batches of independent images: A_n A_n^T / (C*H*W), [N, C, C]. For N = 1 the
// same as gram_matrix.
Tensor gram_matrices(const Tensor& x);

}  // namespace gestalt::nn
