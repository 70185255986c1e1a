#include "nn/unit_distance.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

double scale_of(const Tensor& a) {
  return 1.0 / static_cast<double>(a.size(2) * a.size(3));
}

Tensor gradient_to(const Tensor& a, const Tensor& b, const Tensor& weight, double epsilon,
                   const Tensor& dy) {
  Tensor da = Tensor::empty(a.shape(), a.options());
  Context& ctx = context(a.device());
  ctx.kernels().unit_distance_backward(ctx, dy.view(), a.view(), b.view(), weight.view(), epsilon,
                                       scale_of(a), da.view());
  return da;
}

class UnitDistanceNode : public Node {
 public:
  UnitDistanceNode(const Tensor& a, const Tensor& b, const Tensor& weight, double epsilon)
      : epsilon_(epsilon) {
    save("a", a);
    save("b", b);
    save("weight", weight);
  }
  const char* name() const override { return "unit_distance"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor &a = saved("a"), &b = saved("b"), &weight = saved("weight");
    const Tensor dy = grad_outputs[0].contiguous();
    Tensor da, db;
    if (needs[0]) da = gradient_to(a, b, weight, epsilon_, dy);
    if (needs[1]) db = gradient_to(b, a, weight, epsilon_, dy);  // the distance is symmetric
    return {da, db};
  }

 private:
  double epsilon_;
};

}  // namespace

Tensor unit_distance(const Tensor& a, const Tensor& b, const Tensor& weight, double epsilon) {
  GESTALT_CHECK(a.rank() == 4 && is_floating(a.dtype()) && b.shape() == a.shape() &&
                    b.dtype() == a.dtype() && b.device() == a.device(),
                "[unit_distance] expected two floating arrays [N,C,H,W], got {} and {}", a, b);
  const DType stat = accumulation_dtype(a.dtype());
  GESTALT_CHECK(
      weight.shape() == Shape{a.size(1)} && weight.dtype() == stat && weight.device() == a.device(),
      "[unit_distance] the weight must be {}[{}] on {}, got {}", stat, a.size(1), a.device(),
      weight);
  const Tensor left = a.detach().dense(), right = b.detach().contiguous(left.format());
  const Tensor weights = weight.detach().contiguous();
  Tensor y = Tensor::empty({a.size(0)}, weights.options());
  Context& ctx = context(a.device());
  ctx.kernels().unit_distance_forward(ctx, left.view(), right.view(), weights.view(), epsilon,
                                      scale_of(left), y.view());
  if (needs_grad({a, b})) {
    attach(std::make_shared<UnitDistanceNode>(left, right, weights, epsilon), {a, b}, {y});
  }
  return y;
}

}  // namespace gestalt::nn
