#include "nn/gram.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/shape.h"

namespace gestalt::nn {
namespace {

class GramNode : public Node {
 public:
  GramNode(const Tensor& rows, double scale) : scale_(scale) { save("rows", rows); }
  const char* name() const override { return "gram_matrix"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor dy = grad_outputs[0].contiguous();
    const Tensor& rows = saved("rows");
    Tensor dx = Tensor::empty(rows.shape(), rows.options());
    Context& ctx = context(rows.device());
    ctx.kernels().gram_backward(ctx, dy.view(), rows.view(), scale_, dx.view());
    return {dx};
  }

 private:
  double scale_;
};

// rows [B,R,L], contiguous
Tensor gram(const Tensor& rows) {
  const int64_t batch = rows.size(0), count = rows.size(1);
  const double scale = 1.0 / static_cast<double>(count * rows.size(2));
  Tensor y = Tensor::empty({batch, count, count}, rows.options());
  Context& ctx = context(rows.device());
  ctx.kernels().gram_forward(ctx, rows.view(), scale, y.view());
  if (needs_grad({rows})) attach(std::make_shared<GramNode>(rows, scale), {rows}, {y});
  return y;
}

void check(const char* op, const Tensor& x) {
  GESTALT_CHECK(x.rank() == 4 && is_floating(x.dtype()) && x.size(1) * x.size(2) * x.size(3) > 0,
                "[{}] expected a floating input [N,C,H,W] with elements, got {}", op, x);
}

}  // namespace

Tensor gram_matrix(const Tensor& x) {
  check("gram_matrix", x);
  const int64_t rows = x.size(0) * x.size(1);
  return reshape(gram(reshape(x.contiguous(), {1, rows, x.size(2) * x.size(3)})), {rows, rows});
}

Tensor gram_matrices(const Tensor& x) {
  check("gram_matrices", x);
  return gram(reshape(x.contiguous(), {x.size(0), x.size(1), x.size(2) * x.size(3)}));
}

}  // namespace gestalt::nn
