#include "nn/activations.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {

namespace {

// The halves of x. Half of the channels is not dense in channels-last memory; the copies keep the
// format.
struct Halves {
  Tensor value, gate;
};
Halves halves_of(const Tensor& x) {
  const int64_t channels = x.size(1) / 2;
  const Tensor value = narrow(x, 1, 0, channels), gate = narrow(x, 1, channels, channels);
  const Format format = x.rank() == 4 ? x.format() : Format::contiguous;
  if (format == Format::contiguous) return {value, gate};
  return {value.contiguous(format), gate.contiguous(format)};
}

// Keeps x alone: the sigmoid costs less than its memory.
class GluNode : public Node {
 public:
  explicit GluNode(const Tensor& x) { save("x", x); }
  const char* name() const override { return "glu"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    const Halves x = halves_of(saved("x"));
    const Tensor open = sigmoid(x.gate), by_value = dy * x.value;
    Tensor dgate = Tensor::empty(by_value.shape(), by_value.options());
    Context& ctx = context(dy.device());
    ctx.kernels().sigmoid_backward(ctx, by_value.view(), open.view(), dgate.view());
    return {cat({dy * open, dgate}, 1)};
  }
};

}  // namespace

Tensor glu(const Tensor& x) {
  GESTALT_CHECK(x.rank() >= 2 && x.size(1) % 2 == 0,
                "[glu] expected an even number of channels, got {}", x);
  const Halves halves = halves_of(x.detach());
  const Tensor y = halves.value * sigmoid(halves.gate);
  if (needs_grad({x})) attach(std::make_shared<GluNode>(x), {x}, {y});
  return y;
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
