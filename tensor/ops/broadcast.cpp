#include "tensor/ops/broadcast.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/table.h"

namespace gestalt {

Shape broadcast_shape(const char* op, const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape shape = Shape::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.rank() ? a.shape()[-i] : 1;
    const int64_t from_b = i <= b.rank() ? b.shape()[-i] : 1;
    GESTALT_CHECK(from_a == from_b || from_a == 1 || from_b == 1,
                  "[{}] shapes do not broadcast: {} and {}", op, a, b);
    shape[-i] = from_a == 1 ? from_b : from_a;
  }
  return shape;
}

Format broadcast_format(const Tensor& a, const Tensor& b, const Shape& shape) {
  if (a.shape() == shape) return a.format();
  return b.shape() == shape ? b.format() : Format::contiguous;
}

View broadcast_view(const Tensor& x, const Shape& shape) {
  View view = x.view();
  Strides strides = Shape::filled(shape.rank(), 0);
  for (int i = 1; i <= x.rank(); ++i) {
    if (x.shape()[-i] == shape[-i]) strides[-i] = view.strides[-i];
  }
  view.shape = shape;
  view.strides = strides;
  return view;
}

Tensor reduce_to_shape(const Tensor& grad, const Shape& shape) {
  if (grad.shape() == shape) return grad;
  Shape kept = grad.shape();  // the target with leading ones
  for (int i = 1; i <= kept.rank(); ++i) kept[-i] = i <= shape.rank() ? shape[-i] : 1;
  Tensor sum = Tensor::empty(kept, {grad.dtype(), grad.device()});
  Context& ctx = context(grad.device());
  ctx.kernels().sum(ctx, grad.view(), 1.0, sum.view());
  return sum.as_strided(shape, strides_of(shape, Format::contiguous), 0);
}

}  // namespace gestalt
