#include "tensor/ops/unary.h"

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

// gradient(kernels, context, dy, kept, dx) writes dx.
template <class Gradient>
class UnaryNode : public Node {
 public:
  UnaryNode(const char* name, const Tensor& kept, Gradient gradient)
      : name_(name), gradient_(gradient) {
    save("kept", kept);
  }
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& kept = saved("kept");
    Tensor dx = empty_like(kept);
    Context& ctx = context(kept.device());
    gradient_(ctx.kernels(), ctx, grad_outputs[0].view(), kept.view(), dx.view());
    return {dx};
  }

 private:
  const char* name_;
  Gradient gradient_;
};

// forward(kernels, context, x, y) writes y.
template <class Forward, class Gradient>
Tensor unary(const char* name, const Tensor& x, Keep keep, Forward forward, Gradient gradient) {
  Tensor y = empty_like(x);
  Context& ctx = context(x.device());
  forward(ctx.kernels(), ctx, x.view(), y.view());
  if (needs_grad({x})) {
    const Tensor& kept = keep == Keep::x ? x : y;
    attach(std::make_shared<UnaryNode<Gradient>>(name, kept, gradient), {x}, {y});
  }
  return y;
}

using Table = const KernelTable&;

}  // namespace

Tensor exp(const Tensor& x) {
  return unary(
      "exp", x, Keep::y, [](Table k, Context& c, const View& x, const View& y) { k.exp(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& y, const View& dx) {
        k.multiply(c, dy, y, dx);
      });
}

Tensor log(const Tensor& x) {
  return unary(
      "log", x, Keep::x, [](Table k, Context& c, const View& x, const View& y) { k.log(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& x, const View& dx) {
        k.divide(c, dy, x, dx);
      });
}

Tensor sqrt(const Tensor& x) {
  return unary(
      "sqrt", x, Keep::y,
      [](Table k, Context& c, const View& x, const View& y) { k.sqrt(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& y, const View& dx) {
        k.sqrt_backward(c, dy, y, dx);
      });
}

Tensor abs(const Tensor& x) {
  return unary(
      "abs", x, Keep::x, [](Table k, Context& c, const View& x, const View& y) { k.abs(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& x, const View& dx) {
        k.abs_backward(c, dy, x, dx);
      });
}

Tensor pow(const Tensor& x, double exponent) {
  return unary(
      "pow", x, Keep::x,
      [exponent](Table k, Context& c, const View& x, const View& y) {
        k.power_scalar(c, x, exponent, y);
      },
      [exponent](Table k, Context& c, const View& dy, const View& x, const View& dx) {
        k.power_scalar_backward(c, dy, x, exponent, dx);
      });
}

Tensor clamp(const Tensor& x, double low, double high) {
  return unary(
      "clamp", x, Keep::x,
      [=](Table k, Context& c, const View& x, const View& y) { k.clamp(c, x, low, high, y); },
      [=](Table k, Context& c, const View& dy, const View& x, const View& dx) {
        k.clamp_backward(c, dy, x, low, high, dx);
      });
}

Tensor sigmoid(const Tensor& x) {
  return unary(
      "sigmoid", x, Keep::y,
      [](Table k, Context& c, const View& x, const View& y) { k.sigmoid(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& y, const View& dx) {
        k.sigmoid_backward(c, dy, y, dx);
      });
}

Tensor tanh(const Tensor& x) {
  return unary(
      "tanh", x, Keep::y,
      [](Table k, Context& c, const View& x, const View& y) { k.tanh(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& y, const View& dx) {
        k.tanh_backward(c, dy, y, dx);
      });
}

Tensor relu(const Tensor& x) {
  return unary(
      "relu", x, Keep::y,
      [](Table k, Context& c, const View& x, const View& y) { k.relu(c, x, y); },
      [](Table k, Context& c, const View& dy, const View& y, const View& dx) {
        k.relu_backward(c, dy, y, dx);
      });
}

Tensor leaky_relu(const Tensor& x, double slope) {
  // A positive slope leaves the sign: what comes behind keeps y in any case, so x can go.
  return unary(
      "leaky_relu", x, slope > 0 ? Keep::y : Keep::x,
      [slope](Table k, Context& c, const View& x, const View& y) { k.leaky_relu(c, x, slope, y); },
      [slope](Table k, Context& c, const View& dy, const View& x, const View& dx) {
        k.leaky_relu_backward(c, dy, x, slope, dx);
      });
}

}  // namespace gestalt
