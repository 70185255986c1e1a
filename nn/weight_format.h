#pragma once

// Memory layout of a network's weights. A convolution takes its weights in the layout of its input
// and converts them at each call where theirs is another; a network that is trained on
// channels-last images therefore keeps them so.

#include "kernels/context.h"
#include "nn/module.h"

namespace gestalt::nn {

// Parameters of four dimensions ([O,I,H,W]) from here on have this layout; they stay the tensors
// that they are, as with Module::to.
void set_weight_format(Module& network, Format format);

// The layout of images in which the context's convolutions in this dtype are fastest: channels-last
// where tensor cores multiply, on CUDA from compute capability 8.0 on, or 7.0 in f16 (cuDNN moves
// contiguous images and weights there and its result back, at most layers). Contiguous elsewhere:
// exact f32, and the CPU.
Format convolution_format(const Context& context, DType dtype = DType::f32);

}  // namespace gestalt::nn
