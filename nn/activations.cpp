#include "nn/activations.h"

#include "kernels/error.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {

Tensor glu(const Tensor& x) {
  GESTALT_CHECK(x.rank() >= 2 && x.size(1) % 2 == 0,
                "[glu] expected an even number of channels, got {}", x);
  const int64_t channels = x.size(1) / 2;
  // Half of the channels is not dense in channels-last memory; the copy keeps the format.
  const Format format = x.rank() == 4 ? x.format() : Format::contiguous;
  const Tensor value = narrow(x, 1, 0, channels), gate = narrow(x, 1, channels, channels);
  if (format == Format::contiguous) return value * sigmoid(gate);
  return value.contiguous(format) * sigmoid(gate.contiguous(format));
}

Tensor swish(const Tensor& x) {
  return x * sigmoid(x);
}

Tensor GLU::forward(const Tensor& x) {
  return glu(x);
}
Tensor Swish::forward(const Tensor& x) {
  return swish(x);
}
Tensor LeakyReLU::forward(const Tensor& x) {
  return leaky_relu(x, slope_);
}
Tensor Sigmoid::forward(const Tensor& x) {
  return sigmoid(x);
}
Tensor Tanh::forward(const Tensor& x) {
  return tanh(x);
}

}  // namespace gestalt::nn
