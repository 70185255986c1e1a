#include "nn/activations.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {

namespace {

// As the kernels take it; a view where x allows one.
Tensor as_image(const Tensor& x) {
  if (x.rank() == 4) return x.dense();
  int64_t inner = 1;
  for (int dim = 2; dim < x.rank(); ++dim) inner *= x.size(dim);
  return reshape(x, {x.size(0), x.size(1), inner, 1}).contiguous();
}

Shape with_channels(Shape shape, int64_t channels) {
  shape[1] = channels;
  return shape;
}

// Keeps x alone: the sigmoid costs less than its memory.
class GluNode : public Node {
 public:
  explicit GluNode(const Tensor& image) { save("x", image); }
  const char* name() const override { return "glu"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& x = saved("x");
    const Tensor dy = as_image(grad_outputs[0]).contiguous(x.format());
    const Tensor dx = Tensor::empty(x.shape(), x.options());
    Context& ctx = context(x.device());
    ctx.kernels().glu_backward(ctx, dy.view(), x.view(), dx.view());
    if (grad_outputs[0].rank() == 4) return {dx};
    return {reshape(dx, with_channels(grad_outputs[0].shape(), x.size(1)))};
  }
};

}  // namespace

Tensor glu(const Tensor& x) {
  GESTALT_CHECK(x.rank() >= 2 && x.size(1) % 2 == 0,
                "[glu] expected an even number of channels, got {}", x);
  const int64_t channels = x.size(1) / 2;
  const Tensor image = as_image(x.detach());
  Tensor y = Tensor::empty(with_channels(image.shape(), channels), image.options());
  Context& ctx = context(x.device());
  ctx.kernels().glu_forward(ctx, image.view(), y.view());
  if (x.rank() != 4) y = reshape(y, with_channels(x.shape(), channels));
  if (needs_grad({x})) attach(std::make_shared<GluNode>(image), {x}, {y});
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
