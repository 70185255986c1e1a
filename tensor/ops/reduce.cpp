#include "tensor/ops/reduce.h"

#include <algorithm>
#include <limits>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/broadcast.h"
#include "tensor/ops/shape.h"

namespace gestalt {
namespace {

// x's shape with 1 at the reduced dimensions.
Shape kept_shape(const char* op, const Tensor& x, const Dims& dims) {
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
  Tensor y = Tensor::empty(kept_shape(name, x, dims), {x.dtype(), x.device()});
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

class MaxNode : public Node {
 public:
  MaxNode(const Tensor& x, const Tensor& y) {
    save("x", x);
    save("y", y);
  }
  const char* name() const override { return "max"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    // 1 where x - y is not below 0, which is at the maxima.
    const Tensor difference = subtract(saved("x"), saved("y"));
    Tensor is_max = Tensor::empty(difference.shape(), difference.options());
    const Tensor one = Tensor::ones({1}, {difference.dtype(), difference.device()});
    Context& ctx = context(difference.device());
    ctx.kernels().clamp_backward(ctx, broadcast_view(one, difference.shape()), difference.view(), 0,
                                 std::numeric_limits<double>::infinity(), is_max.view());
    const Tensor maxima = reduce_to_shape(is_max, saved("y").shape());
    return {multiply(is_max, divide(grad_outputs[0], maxima))};
  }
};

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
  const Tensor difference = subtract(x, mean(x, dims, true));
  const double scale =
      1 / static_cast<double>(desc.unbiased ? std::max<int64_t>(count - 1, 0) : count);
  return scaled_sum("variance", multiply(difference, difference), dims, scale, desc.keep_dims);
}

Tensor max(const Tensor& x, const Dims& dims, bool keep_dims) {
  const Shape kept = kept_shape("max", x, dims);
  GESTALT_CHECK(x.numel() > 0 || kept.numel() == 0, "[max] nothing to take the maximum of in {}",
                x);
  Tensor y = Tensor::empty(kept, {x.dtype(), x.device()});
  Context& ctx = context(x.device());
  ctx.kernels().max(ctx, x.view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<MaxNode>(x, y), {x}, {y});
  return without(y, x, dims, keep_dims);
}

Tensor argmax(const Tensor& x, int dim, bool keep_dims) {
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
