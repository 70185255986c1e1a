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

// The layout of images in which convolutions on the context's device are fastest: channels-last on
// CUDA, as tensor cores read it (cuDNN moves contiguous images and weights there and its result
// back, at every layer), but contiguous where the context is exact, without tensor cores. On the
// CPU contiguous.
Format convolution_format(const Context& context);

}  // namespace gestalt::nn
