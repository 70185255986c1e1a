#include "nn/pool.h"

#include <cstdint>

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/linear_gradient.h"
#include "tensor/autograd.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

Shape output_shape(const char* op, const Tensor& x, const Pool2dDesc& desc) {
  GESTALT_CHECK(x.rank() == 4, "[{}] expected a 4-d input, got {}", op, x);
  Shape shape = x.shape();
  for (int axis : {0, 1}) {
    const int64_t kernel = desc.kernel[axis], stride = desc.stride[axis];
    const int64_t padding = desc.padding[axis];
    GESTALT_CHECK(kernel > 0 && stride > 0 && padding >= 0 && 2 * padding <= kernel,
                  "[{}] kernel {} and stride {} must be positive, padding {} at most half the "
                  "kernel",
                  op, kernel, stride, padding);
    GESTALT_CHECK(x.size(2 + axis) > 0, "[{}] the input has no pixels: {}", op, x);
    const int64_t room =
        x.size(2 + axis) + 2 * padding - kernel + (desc.ceil_mode ? stride - 1 : 0);
    GESTALT_CHECK(room >= 0, "[{}] a window of {} does not fit into the input {}", op, kernel, x);
    int64_t size = room / stride + 1;
    if (desc.ceil_mode && (size - 1) * stride >= x.size(2 + axis) + padding) --size;
    shape[2 + axis] = size;
  }
  return shape;
}

// The smallest type for places in a window.
DType index_dtype(const Pool2dDesc& desc) {
  const int64_t places = desc.kernel[0] * desc.kernel[1];
  GESTALT_CHECK(places <= INT32_MAX, "[max_pool2d] a window of {} x {} is too large",
                desc.kernel[0], desc.kernel[1]);
  return places <= 256 ? DType::u8 : DType::i64;
}

class MaxPool2dNode : public Node {
 public:
  MaxPool2dNode(const Tensor& x, const Tensor& indices, const Pool2dDesc& desc)
      : shape_(x.shape()), desc_(desc) {
    save("indices", indices);
  }
  const char* name() const override { return "max_pool2d"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& indices = saved("indices");
    const Tensor dy = grad_outputs[0].contiguous(indices.format());
    Tensor dx = Tensor::empty(shape_, dy.options());
    Context& ctx = context(dy.device());
    ctx.kernels().max_pool2d_backward(ctx, dy.view(), indices.view(), dx.view(), desc_);
    return {dx};
  }

 private:
  Shape shape_;
  Pool2dDesc desc_;
};

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dDesc& desc) {
  const Shape shape = output_shape("max_pool2d", x, desc);
  Tensor y = Tensor::empty(shape, x.options());
  Tensor indices;
  if (needs_grad({x})) {
    indices = Tensor::empty(shape, {index_dtype(desc), x.device(), x.format()});
  }
  Context& ctx = context(x.device());
  ctx.kernels().max_pool2d_forward(ctx, x.detach().dense().view(), y.view(), OptionalView(indices),
                                   desc);
  if (indices.defined()) attach(std::make_shared<MaxPool2dNode>(x, indices, desc), {x}, {y});
  return y;
}

Tensor avg_pool2d(const Tensor& x, const Pool2dDesc& desc) {
  Tensor y = Tensor::empty(output_shape("avg_pool2d", x, desc), x.options());
  Context& ctx = context(x.device());
  ctx.kernels().avg_pool2d_forward(ctx, x.detach().dense().view(), y.view(), desc);
  attach_linear("avg_pool2d", x, y, {}, &KernelTable::avg_pool2d_backward, desc);
  return y;
}

Tensor adaptive_avg_pool2d(const Tensor& x, Pair output_size) {
  GESTALT_CHECK(x.rank() == 4 && x.size(2) > 0 && x.size(3) > 0,
                "[adaptive_avg_pool2d] expected [N,C,H,W] with H, W > 0, got {}", x);
  GESTALT_CHECK(output_size[0] > 0 && output_size[1] > 0,
                "[adaptive_avg_pool2d] output sizes must be positive, got {} and {}",
                output_size[0], output_size[1]);
  Tensor y = Tensor::empty({x.size(0), x.size(1), output_size[0], output_size[1]}, x.options());
  Context& ctx = context(x.device());
  ctx.kernels().adaptive_avg_pool2d_forward(ctx, x.detach().dense().view(), y.view());
  attach_linear("adaptive_avg_pool2d", x, y, {}, &KernelTable::adaptive_avg_pool2d_backward);
  return y;
}

}  // namespace gestalt::nn
