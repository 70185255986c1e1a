#include "nn/weight_format.h"

#include "kernels/runtime.h"
#include "tensor/autograd.h"

namespace gestalt::nn {

void set_weight_format(Module& network, Format format) {
  const NoGradGuard no_grad;
  for (const Module::Named& entry : network.named_parameters()) {
    if (entry.tensor->rank() != 4) continue;
    entry.tensor->set_data(entry.tensor->contiguous(format));
  }
}

Format convolution_format(const Context& context, DType dtype) {
  if (dtype == DType::f32 && context.exact()) return Format::contiguous;
  const bool tensor_cores = context.runtime().has_tensor_cores(context.device().index, dtype);
  return tensor_cores ? Format::channels_last : Format::contiguous;
}

}  // namespace gestalt::nn
