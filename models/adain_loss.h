#pragma once

// What AdaIN's decoder is trained for (Huang and Belongie 2017, section 5): with t =
// AdaIN(encoder(content), encoder(style)) and g = decoder(t),
//   content = MSE(relu4_1(g), t)
//   style   = sum over relu1_1 .. relu4_1 of MSE of the channels' means and MSE of their
//   deviations, g against style.

#include "nn/sequential.h"
#include "tensor/tensor.h"

namespace gestalt::models {

struct StylizationLoss {
  Tensor content, style;  // rank 0, neither weighted
};

// `content`, `style`: RGB in [0, 1], [N,3,H,W] of one size, at least adain_least_side. Gradients go
// to the decoder's parameters; those of the encoder are constants.
StylizationLoss stylization_loss(nn::Sequential& encoder, nn::Sequential& decoder,
                                 const Tensor& content, const Tensor& style);

// MSE of decoder(encoder(images)) from the images, in the units of their pixels: how far the
// decoder is from an inverse of the encoder (Li et al. 2017, "Universal style transfer via feature
// transforms", train theirs for that). `images` and gradients as above. Rank 0.
Tensor reconstruction_loss(nn::Sequential& encoder, nn::Sequential& decoder, const Tensor& images);

}  // namespace gestalt::models
