#pragma once

// Copies and conversions. Gradients flow back in the input's dtype, device and (dense) layout.

#include "tensor/tensor.h"

namespace gestalt {

Tensor clone(const Tensor& x);                      // dense; channels-last stays so
Tensor contiguous(const Tensor& x, Format format);  // x itself where nothing needs doing
Tensor convert(const Tensor& x, DType dtype);       // likewise
Tensor transfer(const Tensor& x, Device device);    // likewise; between a host and a device

}  // namespace gestalt
