#include "nn/topk.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/rounding.h"
#include "kernels/table.h"
#include "nn/linear_gradient.h"
#include "nn/relu_gradient.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

void check(const char* op, const Tensor& x, int64_t k) {
  GESTALT_CHECK(x.rank() == 4 && is_floating(x.dtype()),
                "[{}] expected a floating input [N,C,H,W], got {}", op, x);
  const int64_t length = x.size(2) * x.size(3);
  GESTALT_CHECK(k >= 1 && k <= length, "[{}] k must be in 1..{} (H*W), got {} (input {})", op,
                length, k, x);
}

int64_t count_of(const char* op, const Tensor& x, double fraction) {
  GESTALT_CHECK(fraction > 0 && fraction <= 1, "[{}] the fraction must be in (0, 1], got {}", op,
                fraction);
  GESTALT_CHECK(x.rank() == 4, "[{}] expected a floating input [N,C,H,W], got {}", op, x);
  return topk_count(fraction, x.size(2), x.size(3));
}

Tensor empty_mask(const Tensor& x) {
  const int64_t words = ceil_div(x.size(2) * x.size(3), 32);
  return Tensor::empty({x.size(0) * x.size(1), words * 4}, {DType::u8, x.device()});
}

class ReluTopKNode : public Node {
 public:
  explicit ReluTopKNode(const Tensor& y) { save("y", y); }
  const char* name() const override { return "relu_topk"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor dx = relu_gradient(grad_outputs[0], saved("y"));
    Tensor db;
    if (needs.size() > 1 && needs[1]) {
      Context& ctx = context(dx.device());
      db = Tensor::empty({dx.size(1)}, {dx.dtype(), dx.device()});
      ctx.kernels().sum_channels(ctx, dx.view(), db.view());
    }
    return {dx, db};
  }
};

// The ops of relu_topk one after the other.
Tensor relu_topk_in_steps(const Tensor& x, const TopKDesc& desc, const Tensor& bias) {
  return topk(relu(bias.defined() ? add(x, reshape(bias, {1, x.size(1), 1, 1})) : x), desc);
}

}  // namespace

int64_t topk_count(double fraction, int64_t h, int64_t w) {
  const double count = fraction * static_cast<double>(h) * static_cast<double>(w);
  return static_cast<int64_t>(std::max(1.0, count));
}

Tensor topk(const Tensor& x, const TopKDesc& desc) {
  check("topk", x, desc.k);
  if (desc.k == x.size(2) * x.size(3) && desc.mode == TopKMode::keep) return x;
  Tensor y = Tensor::empty(x.shape(), x.options());
  const Tensor mask = needs_grad({x}) ? empty_mask(x) : Tensor();
  Context& ctx = context(x.device());
  ctx.kernels().topk_forward(ctx, x.detach().dense().view(), y.view(), OptionalView(mask), desc);
  attach_linear("topk", x, y, {"mask", mask}, &KernelTable::topk_backward, desc);
  return y;
}

Tensor topk(const Tensor& x, double fraction, TopKMode mode, float tau) {
  const int64_t k = count_of("topk", x, fraction);
  if (fraction == 1) return x;
  return topk(x, {.k = k, .mode = mode, .tau = tau});
}

Tensor relu_topk(const Tensor& x, const TopKDesc& desc, const Tensor& bias) {
  check("relu_topk", x, desc.k);
  if (bias.defined()) {
    check_same_kind("relu_topk", x, bias);
    GESTALT_CHECK(bias.rank() == 1 && bias.size(0) == x.size(1),
                  "[relu_topk] bias expected {} elements, got {} (input {})", x.size(1), bias, x);
  }
  const bool all = desc.k == x.size(2) * x.size(3) && desc.mode == TopKMode::keep;
  if (desc.tau != 1 || all) return relu_topk_in_steps(x, desc, bias);
  Tensor y = Tensor::empty(x.shape(), x.options());
  Context& ctx = context(x.device());
  ctx.kernels().relu_topk_forward(ctx, x.detach().dense().view(), OptionalView(bias), y.view(),
                                  desc);
  if (needs_grad({x, bias})) attach(std::make_shared<ReluTopKNode>(y), {x, bias}, {y});
  return y;
}

Tensor relu_topk(const Tensor& x, double fraction, TopKMode mode, float tau, const Tensor& bias) {
  const int64_t k = count_of("relu_topk", x, fraction);
  // At a fraction of 1 every mode is the identity.
  if (fraction == 1) return relu_topk(x, {.k = k}, bias);
  return relu_topk(x, {.k = k, .mode = mode, .tau = tau}, bias);
}

void check_fused_topk(const char* op, Activation activation, const FusedTopK& topk,
                      const Shape& y) {
  if (!topk) return;
  GESTALT_CHECK(activation == Activation::relu && topk->tau == 1,
                "[{}] Top-K can end a layer only after a ReLU and with tau 1", op);
  GESTALT_CHECK(y.rank() == 4 && topk->k >= 1 && topk->k <= y[2] * y[3],
                "[{}] k must be in 1..H*W of the result, got {} (result {})", op, topk->k, y);
}

Tensor topk_mean_replace(const Tensor& x, int64_t k) {
  check("topk_mean_replace", x, k);
  Tensor y = Tensor::empty(x.shape(), x.options());
  const Tensor mask = empty_mask(x);
  Context& ctx = context(x.device());
  const TopKDesc desc{.k = k};
  ctx.kernels().topk_mean_replace_forward(ctx, x.detach().dense().view(), y.view(), mask.view(),
                                          desc);
  attach_linear("topk_mean_replace", x, y, {"mask", mask}, &KernelTable::topk_mean_replace_backward,
                desc);
  return y;
}

Tensor topk_mean_replace(const Tensor& x, double fraction) {
  const int64_t k = count_of("topk_mean_replace", x, fraction);
  return fraction == 1 ? x : topk_mean_replace(x, k);
}

}  // namespace gestalt::nn
