#include "tensor/ops/matmul.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/broadcast.h"

namespace gestalt {
namespace {

Shape batch_of(const Shape& shape) {
  return Shape(std::span(shape.begin(), shape.rank() - 2));
}

Shape with_matrix(Shape batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

// x as [B, rows, columns] for the kernel, its batch stretched to `batch`. The memory is x's own, or
// that of `holder` where the batch dimensions do not lie as one.
View batched(const Tensor& x, const Shape& batch, Tensor& holder) {
  const int64_t rows = x.size(-2), columns = x.size(-1);
  const auto flat = [&](const Tensor& source, int64_t batch_stride) {
    View view = source.view();
    const Strides strides = view.strides;
    view.shape = {batch.numel(), rows, columns};
    view.strides = {batch_stride, strides[-2], strides[-1]};
    return view;
  };
  if (batch_of(x.shape()).numel() == 1) return flat(x, 0);
  if (x.shape() == with_matrix(batch, rows, columns) && (x.rank() == 3 || x.is_contiguous())) {
    // is_contiguous() knows nothing of the stride of a dimension of size 1.
    return flat(x, x.rank() == 3 ? x.strides()[-3] : rows * columns);
  }
  const Shape stretched = with_matrix(batch, rows, columns);
  holder = Tensor::empty(stretched, {x.dtype(), x.device()});
  Context& ctx = context(x.device());
  ctx.kernels().copy(ctx, broadcast_view(x, stretched), holder.view());
  return flat(holder, rows * columns);
}

Tensor product(const Tensor& a, const Tensor& b, const Shape& batch) {
  Tensor a_holder, b_holder;
  Tensor y = Tensor::empty(with_matrix(batch, a.size(-2), b.size(-1)), {a.dtype(), a.device()});
  View y_view = y.view();
  y_view.shape = {batch.numel(), a.size(-2), b.size(-1)};
  y_view.strides = strides_of(y_view.shape, Format::contiguous);
  Context& ctx = context(a.device());
  ctx.kernels().matmul(ctx, batched(a, batch, a_holder), batched(b, batch, b_holder), 1, 0, y_view);
  return y;
}

Tensor transposed(const Tensor& x) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::swap(shape[-2], shape[-1]);
  std::swap(strides[-2], strides[-1]);
  return x.as_strided(shape, strides, x.storage_offset());
}

class MatmulNode : public Node {
 public:
  MatmulNode(const Tensor& a, const Tensor& b, const Shape& batch)
      : a_shape_(a.shape()), b_shape_(b.shape()), batch_(batch) {
    if (b.requires_grad()) save("a", a);
    if (a.requires_grad()) save("b", b);
  }
  const char* name() const override { return "matmul"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    Tensor da, db;
    if (needs[0]) da = reduce_to_shape(product(dy, transposed(saved("b")), batch_), a_shape_);
    if (needs[1]) db = reduce_to_shape(product(transposed(saved("a")), dy, batch_), b_shape_);
    return {da, db};
  }

 private:
  Shape a_shape_, b_shape_, batch_;
};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_same_kind("matmul", a, b);
  GESTALT_CHECK(a.rank() >= 2 && b.rank() >= 2 && a.size(-1) == b.size(-2),
                "[matmul] expected [..., M, K] and [..., K, N], got {} and {}", a, b);
  Shape batch;
  const int leading = std::max(a.rank(), b.rank()) - 2;
  for (int i = leading; i > 0; --i) {
    const int64_t from_a = i + 2 <= a.rank() ? a.size(-i - 2) : 1;
    const int64_t from_b = i + 2 <= b.rank() ? b.size(-i - 2) : 1;
    GESTALT_CHECK(from_a == from_b || from_a == 1 || from_b == 1,
                  "[matmul] batch dimensions do not broadcast: {} and {}", a, b);
    batch.push_back(from_a == 1 ? from_b : from_a);
  }
  Tensor y = product(a, b, batch);
  if (needs_grad({a, b})) attach(std::make_shared<MatmulNode>(a, b, batch), {a, b}, {y});
  return y;
}

}  // namespace gestalt
