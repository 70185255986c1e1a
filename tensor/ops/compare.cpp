#include "tensor/ops/compare.h"

#include <cmath>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/broadcast.h"
#include "tensor/ops/shape.h"

namespace gestalt {
namespace {

struct Relation {
  const char* name;
  Comparison comparison;
  bool swapped = false;  // of b with a
};

Tensor compared(const Relation& relation, const Tensor& a, const Tensor& b) {
  check_same_kind(relation.name, a, b);
  const Shape shape = broadcast_shape(relation.name, a, b);
  Tensor y = Tensor::empty(shape, {DType::u8, a.device(), broadcast_format(a, b, shape)});
  const View left = broadcast_view(relation.swapped ? b : a, shape);
  const View right = broadcast_view(relation.swapped ? a : b, shape);
  Context& ctx = context(a.device());
  ctx.kernels().compare(ctx, left, right, relation.comparison, y.view());
  return y;
}

// `scalar` as a tensor that x can be compared with.
Tensor like(const char* name, const Tensor& x, double scalar) {
  if (!is_floating(x.dtype())) {
    const double low = x.dtype() == DType::u8 ? 0 : -0x1p63;
    const double end = x.dtype() == DType::u8 ? 256 : 0x1p63;
    GESTALT_CHECK(scalar >= low && scalar < end && scalar == std::trunc(scalar),
                  "[{}] {} is no {}, of which {} is", name, scalar, x.dtype(), x);
  }
  return Tensor::full({}, scalar, {x.dtype(), x.device()});
}

// All of one shape.
Tensor choose(const Tensor& condition, const View& a, const View& b, const TensorOptions& options) {
  Tensor y = Tensor::empty(a.shape, options);
  Context& ctx = context(options.device);
  ctx.kernels().where(ctx, condition.view(), a, b, y.view());
  return y;
}

class WhereNode : public Node {
 public:
  explicit WhereNode(const Tensor& condition) { save("condition", condition); }
  const char* name() const override { return "where"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    const Tensor& condition = saved("condition");
    const Tensor zero = Tensor::zeros({}, {dy.dtype(), dy.device()});
    const View nothing = broadcast_view(zero, dy.shape());
    return {needs[0] ? choose(condition, dy.view(), nothing, dy.options()) : Tensor(),
            needs[1] ? choose(condition, nothing, dy.view(), dy.options()) : Tensor()};
  }
};

}  // namespace

Tensor greater(const Tensor& a, const Tensor& b) {
  return compared({"greater", Comparison::greater}, a, b);
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return compared({"greater_equal", Comparison::greater_equal}, a, b);
}
Tensor less(const Tensor& a, const Tensor& b) {
  return compared({.name = "less", .comparison = Comparison::greater, .swapped = true}, a, b);
}
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return compared({.name = "less_equal", .comparison = Comparison::greater_equal, .swapped = true},
                  a, b);
}
Tensor equal(const Tensor& a, const Tensor& b) {
  return compared({"equal", Comparison::equal}, a, b);
}

Tensor greater(const Tensor& x, double scalar) {
  return greater(x, like("greater", x, scalar));
}
Tensor greater_equal(const Tensor& x, double scalar) {
  return greater_equal(x, like("greater_equal", x, scalar));
}
Tensor less(const Tensor& x, double scalar) {
  return less(x, like("less", x, scalar));
}
Tensor less_equal(const Tensor& x, double scalar) {
  return less_equal(x, like("less_equal", x, scalar));
}
Tensor equal(const Tensor& x, double scalar) {
  return equal(x, like("equal", x, scalar));
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_same_kind("where", a, b);
  GESTALT_CHECK(
      condition.defined() && condition.dtype() == DType::u8 && condition.device() == a.device(),
      "[where] expected a condition of u8 on {}, got {}", a.device(), condition);
  const Shape of_both = broadcast_shape("where", a, b);
  const Shape shape = broadcast_shape("where", condition, expand(a, of_both));
  // The gradient of expand adds up where it stretched.
  const Tensor left = expand(a, shape), right = expand(b, shape);
  const Tensor chosen_by = expand(condition, shape);
  Tensor y = choose(chosen_by, left.view(), right.view(),
                    {a.dtype(), a.device(), broadcast_format(a, b, shape)});
  if (needs_grad({left, right})) {
    attach(std::make_shared<WhereNode>(chosen_by), {left, right}, {y});
  }
  return y;
}

namespace {

class ExtremeNode : public Node {
 public:
  ExtremeNode(const char* name, const Tensor& a, const Tensor& b, bool greatest)
      : name_(name), greatest_(greatest) {
    save("a", a);
    save("b", b);
  }
  const char* name() const override { return name_; }

  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor &dy = grad_outputs[0], &a = saved("a"), &b = saved("b");
    // Where b is the greater one, a is the smaller.
    return {needs[0] ? gradient(dy, greatest_ ? a : b, greatest_ ? b : a) : Tensor(),
            needs[1] ? gradient(dy, greatest_ ? b : a, greatest_ ? a : b) : Tensor()};
  }

 private:
  // Of a maximum of both, to the first.
  static Tensor gradient(const Tensor& dy, const Tensor& of, const Tensor& other) {
    Tensor result = Tensor::empty(dy.shape(), dy.options());
    Context& ctx = context(dy.device());
    ctx.kernels().maximum_backward(ctx, dy.view(), of.view(), other.view(), result.view());
    return result;
  }

  const char* name_;
  bool greatest_;
};

Tensor extreme(const char* name, const Tensor& a, const Tensor& b, bool greatest) {
  check_same_kind(name, a, b);
  GESTALT_CHECK(is_floating(a.dtype()), "[{}] expected floating tensors, got {} and {}", name, a,
                b);
  const Shape shape = broadcast_shape(name, a, b);
  // The gradient of expand adds up where it stretched.
  const Tensor left = expand(a, shape), right = expand(b, shape);
  Tensor y = Tensor::empty(shape, {a.dtype(), a.device(), broadcast_format(a, b, shape)});
  Context& ctx = context(a.device());
  const KernelTable& kernels = ctx.kernels();
  (greatest ? kernels.maximum : kernels.minimum)(ctx, left.view(), right.view(), y.view());
  if (needs_grad({left, right})) {
    attach(std::make_shared<ExtremeNode>(name, left, right, greatest), {left, right}, {y});
  }
  return y;
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return extreme("maximum", a, b, true);
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return extreme("minimum", a, b, false);
}

}  // namespace gestalt
