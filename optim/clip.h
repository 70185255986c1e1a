#pragma once

// Clipping of gradients by their norm (Pascanu, Mikolov and Bengio 2013), as
// torch.nn.utils.clip_grad_norm_.

#include <vector>

#include "tensor/tensor.h"

namespace gestalt::optim {

// Multiplies the gradients of all parameters in place by max_norm / (norm + 1e-6) where that is
// below 1; norm is the length of all gradients as one vector, which is returned. Parameters without
// gradient count as zero. The gradients are on one device, all of them f64 or none; else Error. A
// norm that is not finite (squares are summed in f32, f64 of f64 gradients) leaves NaN behind in
// all of them, where PyTorch leaves zeros, so look at what is returned. Reads the norm back: not
// for a captured step.
double clip_gradient_norm(const std::vector<Tensor>& parameters, double max_norm);

}  // namespace gestalt::optim
