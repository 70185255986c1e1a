#include "nn/linear.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

// A contiguous tensor [..., columns] as one matrix, for the product kernel.
View matrix(const Tensor& x, int64_t columns) {
  View view = x.view();
  const int64_t rows = columns > 0 ? x.numel() / columns : 0;
  view.shape = {1, rows, columns};
  view.strides = {0, columns, 1};
  return view;
}

View transposed(View matrix) {
  std::swap(matrix.shape[1], matrix.shape[2]);
  std::swap(matrix.strides[1], matrix.strides[2]);
  return matrix;
}

class LinearNode : public Node {
 public:
  LinearNode(const Tensor& x, const Tensor& weight)
      : x_shape_(x.shape()), weight_shape_(weight.shape()) {
    if (x.requires_grad()) save("weight", weight);
    if (weight.requires_grad()) save("x", x);
  }

  const char* name() const override { return "linear"; }

  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const int64_t in = weight_shape_[1], out = weight_shape_[0];
    const Tensor grad = grad_outputs[0].contiguous();
    const View dy = matrix(grad, out);
    const TensorOptions options{grad.dtype(), grad.device()};
    Context& ctx = context(grad.device());
    Tensor dx, dw, db;
    if (needs[0]) {
      dx = Tensor::empty(x_shape_, options);
      const Tensor weight = saved("weight").contiguous();
      ctx.kernels().matmul(ctx, dy, matrix(weight, in), 1, 0, matrix(dx, in));
    }
    if (needs[1]) {
      dw = Tensor::empty(weight_shape_, options);
      const Tensor x = saved("x").contiguous();
      ctx.kernels().matmul(ctx, transposed(dy), matrix(x, in), 1, 0, matrix(dw, in));
    }
    if (needs.size() > 2 && needs[2]) {
      db = Tensor::empty({out}, options);
      View row = db.view();
      row.shape = {1, 1, out};
      row.strides = {0, 0, 1};
      ctx.kernels().sum(ctx, dy, 1, row);
    }
    return {dx, dw, db};
  }

 private:
  Shape x_shape_, weight_shape_;
};

}  // namespace

Tensor linear(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias) {
  const Tensor x = autocast(given_x), weight = autocast(given_weight), bias = autocast(given_bias);
  check_same_kind("linear", x, weight);
  GESTALT_CHECK(weight.rank() == 2 && x.rank() >= 1 && x.size(-1) == weight.size(1),
                "[linear] expected an input [..., in] and a weight [out, in], got input {}, "
                "weight {}",
                x, weight);
  const int64_t in = weight.size(1), out = weight.size(0);
  Shape shape = x.shape();
  shape[-1] = out;
  Tensor y = Tensor::empty(shape, {x.dtype(), x.device()});
  {
    const NoGradGuard no_grad;
    const Tensor rows = x.contiguous(), weights = weight.contiguous();
    Context& ctx = context(x.device());
    if (bias.defined()) {
      check_same_kind("linear", x, bias);
      GESTALT_CHECK(bias.rank() == 1 && bias.size(0) == out,
                    "[linear] bias expected {} elements, got {}", out, bias);
      View spread = matrix(y, out);
      spread.data = bias.view().data;
      spread.strides = {0, 0, bias.strides()[0]};
      ctx.kernels().copy(ctx, spread, matrix(y, out));
    }
    ctx.kernels().matmul(ctx, matrix(rows, in), transposed(matrix(weights, in)), 1,
                         bias.defined() ? 1 : 0, matrix(y, out));
  }
  if (needs_grad({x, weight, bias})) {
    attach(std::make_shared<LinearNode>(x, weight), {x, weight, bias}, {y});
  }
  return y;
}

}  // namespace gestalt::nn
