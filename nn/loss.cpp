#include "nn/loss.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"

namespace gestalt::nn {
namespace {

Tensor empty_loss(const Tensor& x) {
  return Tensor::empty(Shape{}, stat_options(x));
}

using ErrorKernel = Kernel<void(const View& a, const View& b, double scale, const View& y)>;
using ErrorGradient =
    Kernel<void(const View& dy, const View& a, const View& b, double scale, const View& da)>;

// A loss of |a - b|: a and b may be swapped, in the gradients too.
struct ErrorLoss {
  const char* name;
  ErrorKernel KernelTable::*forward;
  ErrorGradient KernelTable::*backward;
};

class ErrorLossNode : public Node {
 public:
  ErrorLossNode(const ErrorLoss& loss, const Tensor& a, const Tensor& b, double scale)
      : loss_(loss), scale_(scale) {
    save("a", a);
    save("b", b);
  }
  const char* name() const override { return loss_.name; }
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
    (ctx.kernels().*loss_.backward)(ctx, dy.view(), of.view(), other.view(), scale_, result.view());
    return result;
  }

  ErrorLoss loss_;
  double scale_;
};

// 1 / n for a mean over n elements, which must not be none.
double scale_of(const char* name, const Tensor& x, Reduction reduction) {
  GESTALT_CHECK(reduction == Reduction::sum || x.numel() > 0, "[{}] the mean of no elements ({})",
                name, x);
  return reduction == Reduction::mean ? 1.0 / static_cast<double>(x.numel()) : 1.0;
}

Tensor error_loss(const ErrorLoss& loss, const Tensor& given_a, const Tensor& given_b,
                  Reduction reduction) {
  const Tensor a = autocast_to_f32(given_a), b = autocast_to_f32(given_b);
  check_same_kind(loss.name, a, b);
  GESTALT_CHECK(a.shape() == b.shape() && is_floating(a.dtype()),
                "[{}] expected two floating tensors of one shape, got {} and {}", loss.name, a, b);
  const double scale = scale_of(loss.name, a, reduction);
  Tensor y = empty_loss(a);
  Context& ctx = context(a.device());
  (ctx.kernels().*loss.forward)(ctx, a.view(), b.view(), scale, y.view());
  if (needs_grad({a, b})) attach(std::make_shared<ErrorLossNode>(loss, a, b, scale), {a, b}, {y});
  return y;
}

class BinaryCrossEntropyNode : public Node {
 public:
  BinaryCrossEntropyNode(const Tensor& logits, const Tensor& target, double scale) : scale_(scale) {
    save("logits", logits);
    save("target", target);
  }
  const char* name() const override { return "binary_cross_entropy_with_logits"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    const Tensor& logits = saved("logits");
    Tensor dlogits, dtarget;
    if (needs[0]) {
      dlogits = Tensor::empty(logits.shape(), logits.options());
      Context& ctx = context(logits.device());
      ctx.kernels().binary_cross_entropy_backward(ctx, dy.view(), logits.view(),
                                                  saved("target").view(), scale_, dlogits.view());
    }
    if (needs[1]) dtarget = multiply(logits, multiply(dy, -scale_));
    return {dlogits, dtarget};
  }

 private:
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

Tensor mse_loss(const Tensor& a, const Tensor& b, Reduction reduction) {
  return error_loss({"mse_loss", &KernelTable::squared_error, &KernelTable::squared_error_backward},
                    a, b, reduction);
}

Tensor l1_loss(const Tensor& a, const Tensor& b, Reduction reduction) {
  return error_loss(
      {"l1_loss", &KernelTable::absolute_error, &KernelTable::absolute_error_backward}, a, b,
      reduction);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyDesc& desc) {
  check_defined("cross_entropy", logits);
  check_defined("cross_entropy", target);
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
  const Tensor wide = logits.to(accumulation_dtype(logits.dtype())).contiguous();
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

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction) {
  constexpr const char* name = "binary_cross_entropy_with_logits";
  GESTALT_CHECK(logits.defined() && target.defined() && is_floating(logits.dtype()) &&
                    is_floating(target.dtype()) && logits.shape() == target.shape() &&
                    logits.device() == target.device(),
                "[{}] expected floating logits and target of one shape and device, got {} and {}",
                name, logits, target);
  const DType wide = accumulation_dtype(logits.dtype());
  const Tensor x = logits.to(wide), t = target.to(wide);
  const double scale = scale_of(name, x, reduction);
  Tensor loss = empty_loss(x);
  Context& ctx = context(x.device());
  ctx.kernels().binary_cross_entropy_forward(ctx, x.view(), t.view(), scale, loss.view());
  if (needs_grad({x, t})) {
    attach(std::make_shared<BinaryCrossEntropyNode>(x, t, scale), {x, t}, {loss});
  }
  return loss;
}

}  // namespace gestalt::nn
