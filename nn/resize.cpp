#include "nn/resize.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

class ResizeNearestNode : public Node {
 public:
  explicit ResizeNearestNode(const Tensor& x) : shape_(x.shape()), format_(x.format()) {}
  const char* name() const override { return "resize_nearest"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor dy = grad_outputs[0].contiguous(format_);
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    ctx.kernels().resize_nearest_backward(ctx, dy.view(), dx.view());
    return {dx};
  }

 private:
  Shape shape_;
  Format format_;
};

class ResizeBilinearNode : public Node {
 public:
  ResizeBilinearNode(const Tensor& x, const ResizeDesc& desc)
      : shape_(x.shape()), format_(x.format()), desc_(desc) {}
  const char* name() const override { return "resize_bilinear"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor dy = grad_outputs[0].contiguous(format_);
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    ctx.kernels().resize_bilinear_backward(ctx, dy.view(), dx.view(), desc_);
    return {dx};
  }

 private:
  Shape shape_;
  Format format_;
  ResizeDesc desc_;
};

Tensor output(const char* op, const Tensor& x, Pair size) {
  GESTALT_CHECK(x.rank() == 4 && x.size(2) > 0 && x.size(3) > 0,
                "[{}] expected [N,C,H,W] with H, W > 0, got {}", op, x);
  GESTALT_CHECK(size[0] > 0 && size[1] > 0, "[{}] sizes must be positive, got {} and {}", op,
                size[0], size[1]);
  return Tensor::empty({x.size(0), x.size(1), size[0], size[1]}, x.options());
}

}  // namespace

Tensor resize_nearest(const Tensor& x, Pair size) {
  Tensor y = output("resize_nearest", x, size);
  Context& ctx = context(x.device());
  ctx.kernels().resize_nearest_forward(ctx, x.detach().dense().view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<ResizeNearestNode>(x), {x}, {y});
  return y;
}

Tensor resize_bilinear(const Tensor& x, Pair size, const ResizeDesc& desc) {
  Tensor y = output("resize_bilinear", x, size);
  Context& ctx = context(x.device());
  ctx.kernels().resize_bilinear_forward(ctx, x.detach().dense().view(), y.view(), desc);
  if (needs_grad({x})) attach(std::make_shared<ResizeBilinearNode>(x, desc), {x}, {y});
  return y;
}

}  // namespace gestalt::nn
