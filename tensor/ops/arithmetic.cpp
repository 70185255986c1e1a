#include "tensor/ops/arithmetic.h"

#include <cmath>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/broadcast.h"
#include "tensor/ops/unary.h"

namespace gestalt {
namespace {

using Entry = Kernel<BinaryKernel> KernelTable::*;

template <class MakeNode>
Tensor binary(Entry entry, const char* name, const Tensor& a, const Tensor& b,
              const MakeNode& make_node) {
  check_same_kind(name, a, b);
  const Shape shape = broadcast_shape(name, a, b);
  Tensor y = Tensor::empty(shape, {a.dtype(), a.device(), broadcast_format(a, b, shape)});
  Context& ctx = context(a.device());
  (ctx.kernels().*entry)(ctx, broadcast_view(a, shape), broadcast_view(b, shape), y.view());
  if (needs_grad({a, b})) attach(make_node(y), {a, b}, {y});
  return y;
}

// a + sign * b
class SumNode : public Node {
 public:
  SumNode(const char* name, const Tensor& a, const Tensor& b, double sign)
      : name_(name), a_shape_(a.shape()), b_shape_(b.shape()), sign_(sign) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    Tensor da, db;
    if (needs[0]) da = reduce_to_shape(dy, a_shape_);
    if (needs[1]) db = reduce_to_shape(dy, b_shape_);
    if (needs[1] && sign_ != 1) db = multiply(db, sign_);
    return {da, db};
  }

 private:
  const char* name_;
  Shape a_shape_, b_shape_;
  double sign_;
};

class MultiplyNode : public Node {
 public:
  MultiplyNode(const Tensor& a, const Tensor& b) : a_shape_(a.shape()), b_shape_(b.shape()) {
    // Each factor is kept only for the other's gradient.
    save("a", b.requires_grad() ? a : Tensor());
    save("b", a.requires_grad() ? b : Tensor());
  }
  const char* name() const override { return "multiply"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    Tensor da, db;
    if (needs[0]) da = reduce_to_shape(multiply(dy, saved("b")), a_shape_);
    if (needs[1]) db = reduce_to_shape(multiply(dy, saved("a")), b_shape_);
    return {da, db};
  }

 private:
  Shape a_shape_, b_shape_;
};

class DivideNode : public Node {
 public:
  DivideNode(const Tensor& a, const Tensor& b, const Tensor& y) : a_shape_(a.shape()) {
    save("b", b);
    save("y", b.requires_grad() ? y : Tensor());
  }
  const char* name() const override { return "divide"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& b = saved("b");
    const Tensor quotient = divide(grad_outputs[0], b);
    Tensor da, db;
    if (needs[0]) da = reduce_to_shape(quotient, a_shape_);
    if (needs[1]) db = reduce_to_shape(multiply(multiply(quotient, saved("y")), -1), b.shape());
    return {da, db};
  }

 private:
  Shape a_shape_;
};

class ScaleNode : public Node {
 public:
  ScaleNode(const char* name, double scale) : name_(name), scale_(scale) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {scale_ == 1 ? grad_outputs[0] : multiply(grad_outputs[0], scale_)};
  }

 private:
  const char* name_;
  double scale_;
};

Tensor with_scalar(Kernel<ScalarKernel> KernelTable::*entry, const char* name, const Tensor& x,
                   double scalar, double gradient_scale) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  Context& ctx = context(x.device());
  (ctx.kernels().*entry)(ctx, x.view(), scalar, y.view());
  if (needs_grad({x})) attach(std::make_shared<ScaleNode>(name, gradient_scale), {x}, {y});
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return binary(&KernelTable::add, "add", a, b,
                [&](const Tensor&) { return std::make_shared<SumNode>("add", a, b, 1); });
}

Tensor subtract(const Tensor& a, const Tensor& b) {
  return binary(&KernelTable::subtract, "subtract", a, b,
                [&](const Tensor&) { return std::make_shared<SumNode>("subtract", a, b, -1); });
}

Tensor multiply(const Tensor& a, const Tensor& b) {
  return binary(&KernelTable::multiply, "multiply", a, b,
                [&](const Tensor&) { return std::make_shared<MultiplyNode>(a, b); });
}

Tensor divide(const Tensor& a, const Tensor& b) {
  return binary(&KernelTable::divide, "divide", a, b,
                [&](const Tensor& y) { return std::make_shared<DivideNode>(a, b, y); });
}

Tensor add(const Tensor& x, double scalar) {
  GESTALT_CHECK(is_floating(x.dtype()) ||
                    (scalar == std::trunc(scalar) && scalar >= -0x1p63 && scalar < 0x1p63),
                "[add] {} is no {}, of which {} is", scalar, x.dtype(), x);
  return with_scalar(&KernelTable::add_scalar, "add", x, scalar, 1);
}

Tensor multiply(const Tensor& x, double scalar) {
  return with_scalar(&KernelTable::multiply_scalar, "multiply", x, scalar, scalar);
}

Tensor divide(const Tensor& x, double scalar) {
  return divide(x, Tensor::full(Shape{}, scalar, {x.dtype(), x.device()}));
}

Tensor operator/(double scalar, const Tensor& x) {
  return multiply(pow(x, -1), scalar);
}

void add_in_place(Tensor& y, const Tensor& x, double scale) {
  check_in_place("add_in_place", y);
  GESTALT_CHECK(!(grad_enabled() && x.requires_grad()),
                "[add_in_place] {} is followed by autograd, and a change in place is not "
                "differentiable; detach() it, or use add",
                x);
  check_same_kind("add_in_place", y, x);
  GESTALT_CHECK(broadcast_shape("add_in_place", y, x) == y.shape(),
                "[add_in_place] {} does not broadcast to {}", x, y);
  const Tensor before = apart_from(x, y);
  Context& ctx = context(y.device());
  ctx.kernels().add_scaled(ctx, y.view(), broadcast_view(before, y.shape()), scale, y.view());
  y.bump_version();
}

void multiply_in_place(Tensor& y, double scalar) {
  check_in_place("multiply_in_place", y);
  Context& ctx = context(y.device());
  ctx.kernels().multiply_scalar(ctx, y.view(), scalar, y.view());
  y.bump_version();
}

}  // namespace gestalt
