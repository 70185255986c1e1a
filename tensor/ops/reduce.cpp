#include "tensor/ops/reduce.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/broadcast.h"
#include "tensor/ops/compare.h"
#include "tensor/ops/shape.h"

namespace gestalt {
namespace {

// x's shape with 1 at the reduced dimensions.
Shape kept_shape(const char* op, const Tensor& x, const Dims& dims) {
  check_defined(op, x);
  if (dims.empty()) return Shape::filled(x.rank(), 1);
  Shape shape = x.shape();
  std::vector<bool> seen(x.rank(), false);
  for (int dim : dims) {
    const int d = checked_dim(dim, x.rank(), op);
    GESTALT_CHECK(!seen[d], "[{}] dimension {} comes twice", op, d);
    seen[d] = true;
    shape[d] = 1;
  }
  return shape;
}

// The shape without the reduced dimensions.
Shape dropped_shape(const Tensor& x, const Dims& dims) {
  Shape shape;
  if (dims.empty()) return shape;
  std::vector<bool> reduced(x.rank(), false);
  for (int dim : dims) reduced[checked_dim(dim, x.rank(), "reduce")] = true;
  for (int dim = 0; dim < x.rank(); ++dim) {
    if (!reduced[dim]) shape.push_back(x.size(dim));
  }
  return shape;
}

Tensor without(const Tensor& y, const Tensor& x, const Dims& dims, bool keep_dims) {
  return keep_dims ? y : reshape(y, dropped_shape(x, dims));
}

class SumNode : public Node {
 public:
  SumNode(const char* name, const Tensor& x, double scale)
      : name_(name), shape_(x.shape()), format_(x.format()), scale_(scale) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    // Written out: many kernels want dense gradients.
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    ctx.kernels().multiply_scalar(ctx, broadcast_view(dy, shape_), scale_, dx.view());
    return {dx};
  }

 private:
  const char* name_;
  Shape shape_;
  Format format_;
  double scale_;
};

Tensor scaled_sum(const char* name, const Tensor& x, const Dims& dims, double scale,
                  bool keep_dims) {
  const Shape kept = kept_shape(name, x, dims);
  GESTALT_CHECK(is_floating(x.dtype()),
                "[{}] expected a floating tensor, got {}; convert it with to(DType::f32)", name, x);
  Tensor y = Tensor::empty(kept, {x.dtype(), x.device()});
  Context& ctx = context(x.device());
  ctx.kernels().sum(ctx, x.view(), scale, y.view());
  if (needs_grad({x})) attach(std::make_shared<SumNode>(name, x, scale), {x}, {y});
  return without(y, x, dims, keep_dims);
}

// Of how many elements each result is made.
int64_t count_of(const Tensor& x, const Shape& kept) {
  int64_t count = 1;
  for (int dim = 0; dim < x.rank(); ++dim) {
    if (kept[dim] == 1) count *= x.size(dim);
  }
  return count;
}

class ExtremumNode : public Node {
 public:
  ExtremumNode(const char* name, const Tensor& x, const Tensor& y) : name_(name) {
    save("x", x);
    save("y", y);
  }
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    // Counted and divided in f32: 16 bits hold no large count.
    const DType wide = accumulation_dtype(dy.dtype());
    const Tensor& x = saved("x");
    const Tensor& y = saved("y");
    const Tensor ties = equal(x, y).to(wide);
    const Tensor share = divide(dy.to(wide), reduce_to_shape(ties, y.shape()));
    return {multiply(ties, share).to(x.dtype())};
  }

 private:
  const char* name_;
};

Tensor extremum(const char* name, Kernel<ReduceKernel> KernelTable::*entry, const Tensor& x,
                const Dims& dims, bool keep_dims) {
  const Shape kept = kept_shape(name, x, dims);
  GESTALT_CHECK(x.numel() > 0 || kept.numel() == 0, "[{}] nothing to take the {}imum of in {}",
                name, name, x);
  Tensor y = Tensor::empty(kept, {x.dtype(), x.device()});
  Context& ctx = context(x.device());
  (ctx.kernels().*entry)(ctx, x.view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<ExtremumNode>(name, x, y), {x}, {y});
  return without(y, x, dims, keep_dims);
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keep_dims) {
  return scaled_sum("sum", x, dims, 1, keep_dims);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keep_dims) {
  const int64_t count = count_of(x, kept_shape("mean", x, dims));
  return scaled_sum("mean", x, dims, 1 / static_cast<double>(count), keep_dims);
}

Tensor variance(const Tensor& x, const Dims& dims, const VarianceDesc& desc) {
  const int64_t count = count_of(x, kept_shape("variance", x, dims));
  GESTALT_CHECK(is_floating(x.dtype()),
                "[variance] expected a floating tensor, got {}; convert it with to(DType::f32)", x);
  const Tensor wide = x.to(accumulation_dtype(x.dtype()));
  const Tensor difference = subtract(wide, mean(wide, dims, true));
  const double scale =
      1 / static_cast<double>(desc.unbiased ? std::max<int64_t>(count - 1, 0) : count);
  return scaled_sum("variance", multiply(difference, difference), dims, scale, desc.keep_dims)
      .to(x.dtype());
}

Tensor max(const Tensor& x, const Dims& dims, bool keep_dims) {
  return extremum("max", &KernelTable::max, x, dims, keep_dims);
}

Tensor min(const Tensor& x, const Dims& dims, bool keep_dims) {
  return extremum("min", &KernelTable::min, x, dims, keep_dims);
}

Tensor argmax(const Tensor& x, int dim, bool keep_dims) {
  check_defined("argmax", x);
  const int d = checked_dim(dim, x.rank(), "argmax");
  GESTALT_CHECK(x.size(d) > 0, "[argmax] dimension {} of {} is empty", d, x);
  Shape kept = x.shape();
  kept[d] = 1;
  Tensor y = Tensor::empty(kept, {DType::i64, x.device()});
  Context& ctx = context(x.device());
  ctx.kernels().argmax(ctx, x.view(), d, y.view());
  return keep_dims ? y : squeeze(y, d);
}

}  // namespace gestalt
