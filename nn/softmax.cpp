#include "nn/softmax.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "tensor/autograd.h"
#include "tensor/ops/shape.h"

namespace gestalt::nn {
namespace {

class SoftmaxNode : public Node {
 public:
  SoftmaxNode(const Tensor& y, bool logarithm) : logarithm_(logarithm) { save("y", y); }
  const char* name() const override { return logarithm_ ? "log_softmax" : "softmax"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& y = saved("y");
    const Tensor dy = grad_outputs[0].contiguous();
    Tensor dx = Tensor::empty(y.shape(), y.options());
    Context& ctx = context(y.device());
    const KernelTable& kernels = ctx.kernels();
    (logarithm_ ? kernels.log_softmax_backward : kernels.softmax_backward)(ctx, dy.view(), y.view(),
                                                                           dx.view());
    return {dx};
  }

 private:
  bool logarithm_;
};

// rows [N,C], contiguous
Tensor run(const Tensor& rows, bool logarithm) {
  Tensor y = Tensor::empty(rows.shape(), rows.options());
  Context& ctx = context(rows.device());
  const KernelTable& kernels = ctx.kernels();
  (logarithm ? kernels.log_softmax_forward : kernels.softmax_forward)(ctx, rows.view(), y.view());
  if (needs_grad({rows})) attach(std::make_shared<SoftmaxNode>(y, logarithm), {rows}, {y});
  return y;
}

Tensor along(const char* op, const Tensor& x, int dim, bool logarithm) {
  check_defined(op, x);
  GESTALT_CHECK(x.rank() >= 1 && is_floating(x.dtype()),
                "[{}] expected a floating input of at least one dimension, got {}", op, x);
  dim = checked_dim(dim, x.rank(), op);
  const Tensor last = transpose(x, dim, x.rank() - 1).contiguous();
  const int64_t classes = last.size(-1);
  const Tensor rows = reshape(last, {classes == 0 ? 0 : last.numel() / classes, classes});
  return transpose(reshape(run(rows, logarithm), last.shape()), dim, x.rank() - 1);
}

}  // namespace

Tensor softmax(const Tensor& x, int dim) {
  return along("softmax", autocast_to_f32(x), dim, false);
}

Tensor log_softmax(const Tensor& x, int dim) {
  return along("log_softmax", autocast_to_f32(x), dim, true);
}

}  // namespace gestalt::nn
