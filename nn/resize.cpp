#include "nn/resize.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/linear_gradient.h"

namespace gestalt::nn {
namespace {

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
  attach_linear("resize_nearest", x, y, {}, &KernelTable::resize_nearest_backward);
  return y;
}

Tensor resize_bilinear(const Tensor& x, Pair size, const ResizeDesc& desc) {
  Tensor y = output("resize_bilinear", x, size);
  Context& ctx = context(x.device());
  ctx.kernels().resize_bilinear_forward(ctx, x.detach().dense().view(), y.view(), desc);
  attach_linear("resize_bilinear", x, y, {}, &KernelTable::resize_bilinear_backward, desc);
  return y;
}

}  // namespace gestalt::nn
