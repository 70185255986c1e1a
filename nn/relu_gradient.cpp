#include "nn/relu_gradient.h"

#include "kernels/table.h"
#include "tensor/context.h"

namespace gestalt::nn {

Tensor relu_gradient(const Tensor& dy, const Tensor& y) {
  const bool reusable = dy.is_sole_owner();
  const Tensor dense = dy.contiguous(y.format());
  const TensorOptions options{dense.dtype(), dense.device(), y.format()};
  const Tensor dx = reusable ? dense : Tensor::empty(dense.shape(), options);
  Context& ctx = context(dense.device());
  ctx.kernels().relu_backward(ctx, dense.view(), y.view(), dx.view());
  return dx;
}

}  // namespace gestalt::nn
