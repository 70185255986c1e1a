#include "nn/weight_format.h"

#include "tensor/autograd.h"

namespace gestalt::nn {

void set_weight_format(Module& network, Format format) {
  const NoGradGuard no_grad;
  for (const Module::Named& entry : network.named_parameters()) {
    if (entry.tensor->rank() != 4) continue;
    const bool requires_grad = entry.tensor->requires_grad();
    *entry.tensor = entry.tensor->contiguous(format);
    entry.tensor->set_requires_grad(requires_grad);
  }
}

}  // namespace gestalt::nn
