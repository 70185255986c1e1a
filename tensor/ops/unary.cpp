#include "tensor/ops/unary.h"

#include <tuple>

#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt {
namespace {

// A dense tensor for an elementwise result.
Tensor empty_like(const Tensor& x) {
  return Tensor::empty(x.shape(), x.options());
}

// What the gradient is computed from.
enum class Keep { x, y };

// dx = backward(dy, kept, scalars...)
template <class Backward, class... Scalars>
class UnaryNode : public Node {
 public:
  UnaryNode(const char* name, const Tensor& kept, Backward KernelTable::*backward,
            Scalars... scalars)
      : name_(name), backward_(backward), scalars_(scalars...) {
    save("kept", kept);
  }
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& kept = saved("kept");
    Tensor dx = empty_like(kept);
    Context& ctx = context(kept.device());
    std::apply(
        [&](Scalars... scalars) {
          (ctx.kernels().*backward_)(ctx, grad_outputs[0].view(), kept.view(), scalars...,
                                     dx.view());
        },
        scalars_);
    return {dx};
  }

 private:
  const char* name_;
  Backward KernelTable::*backward_;
  std::tuple<Scalars...> scalars_;
};

// y = forward(x, scalars...)
template <class Forward, class Backward, class... Scalars>
Tensor unary(const char* name, const Tensor& x, Keep keep, Forward KernelTable::*forward,
             Backward KernelTable::*backward, Scalars... scalars) {
  check_defined(name, x);
  Tensor y = empty_like(x);
  Context& ctx = context(x.device());
  (ctx.kernels().*forward)(ctx, x.view(), scalars..., y.view());
  if (needs_grad({x})) {
    const Tensor& kept = keep == Keep::x ? x : y;
    attach(std::make_shared<UnaryNode<Backward, Scalars...>>(name, kept, backward, scalars...), {x},
           {y});
  }
  return y;
}

using Table = KernelTable;

}  // namespace

Tensor exp(const Tensor& x) {
  return unary("exp", x, Keep::y, &Table::exp, &Table::multiply);
}

Tensor log(const Tensor& x) {
  return unary("log", x, Keep::x, &Table::log, &Table::divide);
}

Tensor sqrt(const Tensor& x) {
  return unary("sqrt", x, Keep::y, &Table::sqrt, &Table::sqrt_backward);
}

Tensor abs(const Tensor& x) {
  return unary("abs", x, Keep::x, &Table::abs, &Table::abs_backward);
}

Tensor pow(const Tensor& x, double exponent) {
  return unary("pow", x, Keep::x, &Table::power_scalar, &Table::power_scalar_backward, exponent);
}

Tensor clamp(const Tensor& x, double low, double high) {
  return unary("clamp", x, Keep::x, &Table::clamp, &Table::clamp_backward, low, high);
}

Tensor sigmoid(const Tensor& x) {
  return unary("sigmoid", x, Keep::y, &Table::sigmoid, &Table::sigmoid_backward);
}

Tensor tanh(const Tensor& x) {
  return unary("tanh", x, Keep::y, &Table::tanh, &Table::tanh_backward);
}

Tensor relu(const Tensor& x) {
  return unary("relu", x, Keep::y, &Table::relu, &Table::relu_backward);
}

Tensor leaky_relu(const Tensor& x, double slope) {
  // A positive slope leaves the sign: what comes after it keeps y in any case, so x can go.
  const Keep keep = slope > 0 ? Keep::y : Keep::x;
  return unary("leaky_relu", x, keep, &Table::leaky_relu, &Table::leaky_relu_backward, slope);
}

}  // namespace gestalt
