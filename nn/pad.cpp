#include "nn/pad.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

class ReflectionPad2dNode : public Node {
 public:
  ReflectionPad2dNode(const Tensor& x, const Padding2d& padding)
      : shape_(x.shape()), format_(x.format()), padding_(padding) {}
  const char* name() const override { return "reflection_pad2d"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor dy = grad_outputs[0].contiguous(format_);
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    ctx.kernels().reflection_pad2d_backward(ctx, dy.view(), dx.view(), padding_);
    return {dx};
  }

 private:
  Shape shape_;
  Format format_;
  Padding2d padding_;
};

}  // namespace

Tensor reflection_pad2d(const Tensor& x, const Padding2d& padding) {
  GESTALT_CHECK(x.rank() == 4, "[reflection_pad2d] expected a 4-d input, got {}", x);
  const auto [left, right, top, bottom] = padding;
  GESTALT_CHECK(std::min({left, right, top, bottom}) >= 0 && std::max(left, right) < x.size(3) &&
                    std::max(top, bottom) < x.size(2),
                "[reflection_pad2d] paddings (left {}, right {}, top {}, bottom {}) must be "
                "non-negative and less than the size of the input {}",
                left, right, top, bottom, x);
  Tensor y = Tensor::empty(
      {x.size(0), x.size(1), x.size(2) + top + bottom, x.size(3) + left + right}, x.options());
  Context& ctx = context(x.device());
  {
    const NoGradGuard no_grad;
    ctx.kernels().reflection_pad2d_forward(ctx, x.contiguous(x.format()).view(), y.view(), padding);
  }
  if (needs_grad({x})) attach(std::make_shared<ReflectionPad2dNode>(x, padding), {x}, {y});
  return y;
}

}  // namespace gestalt::nn
