#pragma once

// Memory layout of a network's weights. A convolution takes its weights in the layout of its input
// and converts them at each call where theirs is another; a network that is trained on
// channels-last images therefore keeps them so.

#include "nn/module.h"

namespace gestalt::nn {

// Parameters of four dimensions ([O,I,H,W]) from here on have this layout; values, names and
// requires_grad stay. New tensors: to be called before an optimizer takes the parameters.
void set_weight_format(Module& network, Format format);

}  // namespace gestalt::nn
