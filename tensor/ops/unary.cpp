#include "tensor/ops/unary.h"

#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt {
namespace {

// A dense tensor for an elementwise result.
Tensor empty_like(const Tensor& x) {
  return Tensor::empty(x.shape(), x.options());
}

class ExpNode : public Node {
 public:
  explicit ExpNode(const Tensor& y) { save("y", y); }
  const char* name() const override { return "exp"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    const Tensor& y = saved("y");
    Tensor dx = empty_like(y);
    Context& ctx = context(y.device());
    ctx.kernels().multiply(ctx, dy.view(), y.view(), dx.view());
    return {dx};
  }
};

}  // namespace

Tensor exp(const Tensor& x) {
  Tensor y = empty_like(x);
  Context& ctx = context(x.device());
  ctx.kernels().exp(ctx, x.view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<ExpNode>(y), {x}, {y});
  return y;
}

}  // namespace gestalt
