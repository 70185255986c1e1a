#include "nn/batch_norm.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/relu_gradient.h"
#include "nn/topk.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

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

// What is added to the result, as the kernels take it: dense, in x's format; or undefined.
Tensor checked_residual(const char* op, const Tensor& residual, const Tensor& x,
                        const BatchNormDesc& desc) {
  if (!residual.defined()) return {};
  GESTALT_CHECK(residual.shape() == x.shape() && residual.dtype() == x.dtype() &&
                    residual.device() == x.device(),
                "[{}] residual must be like the input, got {} on {} (input {} on {})", op, residual,
                residual.device(), x, x.device());
  GESTALT_CHECK(!desc.topk, "[{}] a residual and Top-K do not go together", op);
  return residual.detach().contiguous(x.format());
}

// What both backward passes take, with statistics of either kind.
struct BackwardInputs {
  Tensor dy;           // dense, in x's format
  Tensor relu_output;  // the result after an activation, in x's format, or undefined
  Tensor x, weight, mean, inverse_std;
};

struct Gradients {
  Tensor x, weight, bias;  // undefined: not asked for
};

// Uninitialized ones of what is needed.
Gradients empty_gradients(const Tensor& x, const Tensor& weight, const NeedsGrad& needs) {
  Gradients result;
  if (needs[0]) result.x = Tensor::empty(x.shape(), x.options());
  if (needs[1]) result.weight = Tensor::empty(weight.shape(), stat_options(x));
  if (needs[2]) result.bias = Tensor::empty(weight.shape(), stat_options(x));
  return result;
}

// Writes those gradients that are defined.
void run_backward(const BackwardInputs& in, const Gradients& out) {
  Context& ctx = context(in.x.device());
  ctx.kernels().batch_norm_backward(ctx, in.dy.view(), OptionalView(in.relu_output), in.x.view(),
                                    in.weight.view(), in.mean.view(), in.inverse_std.view(),
                                    OptionalView(out.x), OptionalView(out.weight),
                                    OptionalView(out.bias));
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
    Tensor dy, relu_output;
    if (needs[3] && activated_) {  // what passes is the residual's gradient, and all that x's needs
      dy = relu_gradient(grad_outputs[0], saved("y"));
    } else {
      dy = grad_outputs[0].contiguous(x.format());
      if (activated_) relu_output = saved("y").contiguous(x.format());
    }
    Gradients result;
    if (needs[0] || needs[1] || needs[2]) {
      const Tensor& weight = saved("weight");
      result = empty_gradients(x, weight, needs);
      run_backward({dy, relu_output, x, weight, saved("mean"), saved("inverse_std")}, result);
    }
    return {result.x, result.weight, result.bias, needs[3] ? dy : Tensor()};
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
    const Tensor dy = activation_gradient(grad_outputs[0]);
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
      dweight = Tensor::empty(weight.shape(), stat_options(dy));
      if (needs[2]) dbias = Tensor::empty(weight.shape(), stat_options(dy));
      run_backward({dy, {}, x, weight, saved("mean"), inverse_std}, {{}, dweight, dbias});
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
  // What of grad_output comes through the activation.
  Tensor activation_gradient(const Tensor& grad_output) const {
    return desc_.activation == Activation::none ? grad_output.contiguous(format_)
                                                : relu_gradient(grad_output, saved("y"));
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
  const Tensor added = checked_residual("batch_norm_training", residual, x, desc);
  Tensor y = Tensor::empty(x.shape(), x.options());
  // Of an empty batch the kernel writes nothing.
  const auto make_statistic = x.numel() == 0 ? Tensor::zeros : Tensor::empty;
  const Tensor mean = make_statistic({x.size(1)}, stat_options(x));
  const Tensor inverse_std = make_statistic({x.size(1)}, stat_options(x));
  if (running_mean.defined()) {
    running_mean.bump_version();
    running_variance.bump_version();
  }
  Context& ctx = context(x.device());
  ctx.kernels().batch_norm_training(ctx, x.detach().dense().view(), weight.view(), bias.view(),
                                    OptionalView(added), OptionalView(running_mean),
                                    OptionalView(running_variance), y.view(), mean.view(),
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
  const Tensor added = checked_residual("batch_norm_inference", residual, x, desc);
  Tensor y = Tensor::empty(x.shape(), x.options());
  Context& ctx = context(x.device());
  ctx.kernels().batch_norm_inference(ctx, x.detach().dense().view(), weight.view(), bias.view(),
                                     OptionalView(added), running_mean.view(),
                                     running_variance.view(), y.view(), desc);
  if (needs_grad({x, weight, bias, residual})) {
    attach(std::make_shared<BatchNormInferenceNode>(x, weight, running_mean, running_variance, y,
                                                    desc),
           {x, weight, bias, residual}, {y});
  }
  return y;
}

}  // namespace gestalt::nn
