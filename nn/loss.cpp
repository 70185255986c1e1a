#include "nn/loss.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

Tensor empty_loss(const Tensor& x) {
  return Tensor::empty(Shape{}, {x.dtype() == DType::f64 ? DType::f64 : DType::f32, x.device()});
}

class MseLossNode : public Node {
 public:
  MseLossNode(const Tensor& a, const Tensor& b, double scale) : scale_(scale) {
    save("a", a);
    save("b", b);
  }
  const char* name() const override { return "mse_loss"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& a = saved("a");
    const Tensor& b = saved("b");
    return {needs[0] ? gradient(grad_outputs[0], a, b) : Tensor(),
            needs[1] ? gradient(grad_outputs[0], b, a) : Tensor()};
  }

 private:
  Tensor gradient(const Tensor& dy, const Tensor& of, const Tensor& other) const {
    Tensor result = Tensor::empty(of.shape(), of.options());
    Context& ctx = context(of.device());
    ctx.kernels().squared_error_backward(ctx, dy.view(), of.view(), other.view(), scale_,
                                         result.view());
    return result;
  }

  double scale_;
};

class CrossEntropyNode : public Node {
 public:
  CrossEntropyNode(const Tensor& log_probabilities, const Tensor& target, double scale,
                   double label_smoothing)
      : scale_(scale), label_smoothing_(label_smoothing) {
    save("log_probabilities", log_probabilities);
    save("target", target);
  }
  const char* name() const override { return "cross_entropy"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& log_probabilities = saved("log_probabilities");
    Tensor result = Tensor::empty(log_probabilities.shape(), log_probabilities.options());
    Context& ctx = context(result.device());
    ctx.kernels().cross_entropy_backward(ctx, grad_outputs[0].view(), log_probabilities.view(),
                                         saved("target").view(), scale_, label_smoothing_,
                                         result.view());
    return {result};
  }

 private:
  double scale_, label_smoothing_;
};

}  // namespace

Tensor mse_loss(const Tensor& given_a, const Tensor& given_b, Reduction reduction) {
  const Tensor a = autocast_to_f32(given_a), b = autocast_to_f32(given_b);
  check_same_kind("mse_loss", a, b);
  GESTALT_CHECK(a.shape() == b.shape() && is_floating(a.dtype()),
                "[mse_loss] expected two floating tensors of one shape, got {} and {}", a, b);
  GESTALT_CHECK(reduction == Reduction::sum || a.numel() > 0,
                "[mse_loss] the mean of no elements ({})", a);
  const double scale = reduction == Reduction::mean ? 1.0 / static_cast<double>(a.numel()) : 1.0;
  Tensor loss = empty_loss(a);
  Context& ctx = context(a.device());
  ctx.kernels().squared_error(ctx, a.view(), b.view(), scale, loss.view());
  if (needs_grad({a, b})) attach(std::make_shared<MseLossNode>(a, b, scale), {a, b}, {loss});
  return loss;
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyDesc& desc) {
  GESTALT_CHECK(logits.rank() == 2 && is_floating(logits.dtype()) && logits.size(1) > 0,
                "[cross_entropy] expected floating logits [N,C], got {}", logits);
  GESTALT_CHECK(target.dtype() == DType::i64 && target.rank() == 1 &&
                    target.size(0) == logits.size(0) && target.device() == logits.device(),
                "[cross_entropy] expected a target i64[{}] on {}, got {} on {}", logits.size(0),
                logits.device(), target, target.device());
  GESTALT_CHECK(desc.label_smoothing >= 0 && desc.label_smoothing <= 1,
                "[cross_entropy] label smoothing must be in [0, 1], got {}", desc.label_smoothing);
  GESTALT_CHECK(desc.reduction == Reduction::sum || logits.size(0) > 0,
                "[cross_entropy] the mean of no rows ({})", logits);
  const Tensor wide = (logits.dtype() == DType::f64 ? logits : logits.to(DType::f32)).contiguous();
  const double scale =
      desc.reduction == Reduction::mean ? 1.0 / static_cast<double>(logits.size(0)) : 1.0;
  const Tensor classes = target.contiguous();
  const Tensor log_probabilities = Tensor::empty(wide.shape(), wide.options());
  Tensor loss = empty_loss(wide);
  Context& ctx = context(logits.device());
  ctx.kernels().log_softmax_forward(ctx, wide.view(), log_probabilities.view());
  ctx.kernels().nll_forward(ctx, log_probabilities.view(), classes.view(), scale,
                            desc.label_smoothing, loss.view());
  if (needs_grad({wide})) {
    attach(
        std::make_shared<CrossEntropyNode>(log_probabilities, classes, scale, desc.label_smoothing),
        {wide}, {loss});
  }
  return loss;
}

}  // namespace gestalt::nn
