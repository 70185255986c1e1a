#include "nn/pad.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/linear_gradient.h"
#include "tensor/autograd.h"
#include "tensor/ops/shape.h"

namespace gestalt::nn {
namespace {

// The part of padded images that is not padding.
Tensor inner(const Tensor& y, const Padding2d& padding) {
  const auto [left, right, top, bottom] = padding;
  return narrow(narrow(y, 2, top, y.size(2) - top - bottom), 3, left, y.size(3) - left - right);
}

class ConstantPad2dNode : public Node {
 public:
  ConstantPad2dNode(Format format, const Padding2d& padding) : format_(format), padding_(padding) {}
  const char* name() const override { return "constant_pad2d"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    // Many kernels want dense gradients.
    return {inner(grad_outputs[0], padding_).contiguous(format_)};
  }

 private:
  Format format_;
  Padding2d padding_;
};

Shape padded_shape(const char* op, const Tensor& x, const Padding2d& padding) {
  GESTALT_CHECK(x.rank() == 4, "[{}] expected a 4-d input, got {}", op, x);
  const auto [left, right, top, bottom] = padding;
  GESTALT_CHECK(std::min({left, right, top, bottom}) >= 0,
                "[{}] paddings (left {}, right {}, top {}, bottom {}) must be non-negative", op,
                left, right, top, bottom);
  return {x.size(0), x.size(1), x.size(2) + top + bottom, x.size(3) + left + right};
}

}  // namespace

Tensor constant_pad2d(const Tensor& x, const Padding2d& padding, double value) {
  Tensor y = Tensor::full(padded_shape("constant_pad2d", x, padding), value, x.options());
  inner(y, padding).copy_(x.detach());
  if (needs_grad({x})) {
    attach(std::make_shared<ConstantPad2dNode>(x.format(), padding), {x}, {y});
  }
  return y;
}

Tensor reflection_pad2d(const Tensor& x, const Padding2d& padding) {
  const Shape shape = padded_shape("reflection_pad2d", x, padding);
  const auto [left, right, top, bottom] = padding;
  GESTALT_CHECK(std::max(left, right) < x.size(3) && std::max(top, bottom) < x.size(2),
                "[reflection_pad2d] paddings (left {}, right {}, top {}, bottom {}) must be less "
                "than the size of the input {}",
                left, right, top, bottom, x);
  Tensor y = Tensor::empty(shape, x.options());
  Context& ctx = context(x.device());
  {
    const NoGradGuard no_grad;
    ctx.kernels().reflection_pad2d_forward(ctx, x.contiguous(x.format()).view(), y.view(), padding);
  }
  attach_linear("reflection_pad2d", x, y, {}, &KernelTable::reflection_pad2d_backward, padding);
  return y;
}

}  // namespace gestalt::nn
