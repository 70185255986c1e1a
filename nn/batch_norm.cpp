#include "nn/batch_norm.h"

#include <optional>

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/relu_gradient.h"
#include "nn/topk.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

TensorOptions stat_options(const Tensor& x) {
  return {x.dtype() == DType::f64 ? DType::f64 : DType::f32, x.device()};
}

void check(const char* op, const Tensor& x, std::initializer_list<Tensor> parameters) {
  GESTALT_CHECK((x.rank() == 4 || x.rank() == 2) && is_floating(x.dtype()),
                "[{}] expected a floating input [N,C,H,W] or [N,C], got {}", op, x);
  const DType dtype = stat_options(x).dtype;
  for (const Tensor& parameter : parameters) {
    if (!parameter.defined()) continue;
    GESTALT_CHECK(parameter.rank() == 1 && parameter.size(0) == x.size(1) &&
                      parameter.dtype() == dtype && parameter.device() == x.device(),
                  "[{}] parameters and statistics must be {}[{}] on {}, got {} on {} (input {})",
                  op, dtype, x.size(1), x.device(), parameter, parameter.device(), x);
  }
}

// What is added to the result, as the kernels take it: dense, in x's format; or nothing.
class Residual {
 public:
  Residual(const char* op, const Tensor& residual, const Tensor& x, const BatchNormDesc& desc) {
    if (!residual.defined()) return;
    GESTALT_CHECK(residual.shape() == x.shape() && residual.dtype() == x.dtype() &&
                      residual.device() == x.device(),
                  "[{}] residual must be like the input, got {} on {} (input {} on {})", op,
                  residual, residual.device(), x, x.device());
    GESTALT_CHECK(!desc.topk, "[{}] a residual and Top-K do not go together", op);
    dense_ = residual.detach().contiguous(x.format());
    view_ = dense_.view();
  }
  const View* view() const { return view_ ? &*view_ : nullptr; }

 private:
  Tensor dense_;
  std::optional<View> view_;
};

// The kernel of both backward passes, with statistics of either kind. passed_by: the result behind
// an activation, or undefined. A gradient that was not asked for stays undefined.
struct Gradients {
  Tensor dx, dweight, dbias;
};
Gradients run_backward(const Tensor& dy, const Tensor& passed_by, const Tensor& x,
                       const Tensor& weight, const Tensor& mean, const Tensor& inverse_std,
                       bool needs_x, bool needs_weight, bool needs_bias) {
  Gradients result;
  const auto make = [](bool needed, Tensor& tensor, const Shape& shape,
                       const TensorOptions& options) -> std::optional<View> {
    if (!needed) return std::nullopt;
    tensor = Tensor::empty(shape, options);
    return tensor.view();
  };
  const auto dx = make(needs_x, result.dx, x.shape(), x.options());
  const auto dweight = make(needs_weight, result.dweight, weight.shape(), stat_options(x));
  const auto dbias = make(needs_bias, result.dbias, weight.shape(), stat_options(x));
  const View passed_by_view = passed_by.defined() ? passed_by.view() : View{};
  Context& ctx = context(x.device());
  ctx.kernels().batch_norm_backward(ctx, dy.view(), passed_by.defined() ? &passed_by_view : nullptr,
                                    x.view(), weight.view(), mean.view(), inverse_std.view(),
                                    dx ? &*dx : nullptr, dweight ? &*dweight : nullptr,
                                    dbias ? &*dbias : nullptr);
  return result;
}

class BatchNormTrainingNode : public Node {
 public:
  BatchNormTrainingNode(const Tensor& x, const Tensor& weight, const Tensor& mean,
                        const Tensor& inverse_std, const Tensor& y, const BatchNormDesc& desc)
      : activated_(desc.activation == Activation::relu) {
    if (activated_) save("y", y);
    save("x", x);
    save("weight", weight);
    save("mean", mean);
    save("inverse_std", inverse_std);
  }
  const char* name() const override { return "batch_norm_training"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor x = saved("x").contiguous(saved("x").format());
    Tensor dy, passed_by;
    if (needs[3] && activated_) {  // what passes is the residual's gradient, and all that x's needs
      dy = passed_relu(grad_outputs[0], saved("y"));
    } else {
      dy = grad_outputs[0].contiguous(x.format());
      if (activated_) passed_by = saved("y").contiguous(x.format());
    }
    Gradients grads;
    if (needs[0] || needs[1] || needs[2]) {
      grads = run_backward(dy, passed_by, x, saved("weight"), saved("mean"), saved("inverse_std"),
                           needs[0], needs[1], needs[2]);
    }
    return {grads.dx, grads.dweight, grads.dbias, needs[3] ? dy : Tensor()};
  }

 private:
  bool activated_;
};

class BatchNormInferenceNode : public Node {
 public:
  BatchNormInferenceNode(const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& variance, const Tensor& y, const BatchNormDesc& desc)
      : format_(x.format()), desc_(desc) {
    if (desc.activation == Activation::relu) save("y", y);
    if (weight.requires_grad()) save("x", x);
    save("weight", weight);
    save("mean", mean);
    save("variance", variance);
  }
  const char* name() const override { return "batch_norm_inference"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor dy = passed_gradient(grad_outputs[0]);
    const Tensor &weight = saved("weight"), &variance = saved("variance");
    Context& ctx = context(dy.device());
    Tensor dx, dweight, dbias;
    if (needs[0]) {  // dy * weight / std is the same op with no mean and no bias
      dx = Tensor::empty(dy.shape(), dy.options());
      const Tensor zero = Tensor::zeros(weight.shape(), stat_options(dy));
      ctx.kernels().batch_norm_inference(ctx, dy.view(), weight.view(), zero.view(), nullptr,
                                         zero.view(), variance.view(), dx.view(),
                                         {.epsilon = desc_.epsilon});
    }
    if (needs[1]) {
      const Tensor x = saved("x").contiguous(format_);
      const Tensor inverse_std = Tensor::empty(weight.shape(), stat_options(dy));
      ctx.kernels().add_scalar(ctx, variance.view(), desc_.epsilon, inverse_std.view());
      ctx.kernels().power_scalar(ctx, inverse_std.view(), -0.5, inverse_std.view());
      const Gradients grads =
          run_backward(dy, {}, x, weight, saved("mean"), inverse_std, false, true, needs[2]);
      dweight = grads.dweight;
      dbias = grads.dbias;
    } else if (needs[2]) {
      Shape ones = Shape::filled(dy.rank(), 1);
      ones[1] = dy.size(1);
      const Tensor sums = Tensor::empty(ones, stat_options(dy));
      const Tensor wide = dy.to(sums.dtype());
      ctx.kernels().sum(ctx, wide.view(), 1, sums.view());
      dbias = sums.as_strided(weight.shape(), {1}, 0);
    }
    return {dx, dweight, dbias, needs[3] ? dy : Tensor()};
  }

 private:
  // What of it passes the activation.
  Tensor passed_gradient(const Tensor& grad_output) const {
    return desc_.activation == Activation::none ? grad_output.contiguous(format_)
                                                : passed_relu(grad_output, saved("y"));
  }

  Format format_;
  BatchNormDesc desc_;
};

}  // namespace

Tensor batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           const Tensor& running_mean, const Tensor& running_variance,
                           const BatchNormDesc& desc, const Tensor& residual) {
  check("batch_norm_training", x, {weight, bias, running_mean, running_variance});
  GESTALT_CHECK(running_mean.defined() == running_variance.defined(),
                "[batch_norm_training] both running statistics are needed, or none");
  GESTALT_CHECK(x.numel() == 0 || x.numel() > x.size(1),
                "[batch_norm_training] needs more than one value a channel, got {}", x);
  check_fused_topk("batch_norm_training", desc.activation, desc.topk, x.shape());
  const Residual added("batch_norm_training", residual, x, desc);
  Tensor y = Tensor::empty(x.shape(), x.options());
  // Of an empty batch the kernel writes nothing.
  const auto make_statistic = x.numel() == 0 ? Tensor::zeros : Tensor::empty;
  const Tensor mean = make_statistic({x.size(1)}, stat_options(x));
  const Tensor inverse_std = make_statistic({x.size(1)}, stat_options(x));
  std::optional<View> running[2];
  if (running_mean.defined()) {
    running[0] = running_mean.view();
    running[1] = running_variance.view();
    running_mean.bump_version();
    running_variance.bump_version();
  }
  Context& ctx = context(x.device());
  ctx.kernels().batch_norm_training(ctx, x.detach().dense().view(), weight.view(), bias.view(),
                                    added.view(), running[0] ? &*running[0] : nullptr,
                                    running[1] ? &*running[1] : nullptr, y.view(), mean.view(),
                                    inverse_std.view(), desc);
  if (needs_grad({x, weight, bias, residual})) {
    attach(std::make_shared<BatchNormTrainingNode>(x, weight, mean, inverse_std, y, desc),
           {x, weight, bias, residual}, {y});
  }
  return y;
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& running_mean, const Tensor& running_variance,
                            const BatchNormDesc& desc, const Tensor& residual) {
  check("batch_norm_inference", x, {weight, bias, running_mean, running_variance});
  check_fused_topk("batch_norm_inference", desc.activation, desc.topk, x.shape());
  const Residual added("batch_norm_inference", residual, x, desc);
  Tensor y = Tensor::empty(x.shape(), x.options());
  Context& ctx = context(x.device());
  ctx.kernels().batch_norm_inference(ctx, x.detach().dense().view(), weight.view(), bias.view(),
                                     added.view(), running_mean.view(), running_variance.view(),
                                     y.view(), desc);
  if (needs_grad({x, weight, bias, residual})) {
    attach(std::make_shared<BatchNormInferenceNode>(x, weight, running_mean, running_variance, y,
                                                    desc),
           {x, weight, bias, residual}, {y});
  }
  return y;
}

}  // namespace gestalt::nn
