#pragma once

// Memory layout of a network's weights. A convolution takes its weights in the layout of its input
// and converts them at each call where theirs is another; a network that is trained on
// channels-last images therefore keeps them so.

#include "nn/module.h"

namespace gestalt::nn {

// Parameters of four dimensions ([O,I,H,W]) from here on have this layout; they stay the tensors
// that they are, as with Module::to.
void set_weight_format(Module& network, Format format);

}  // namespace gestalt::nn
