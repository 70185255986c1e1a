#include "tensor/ops/convert.h"

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt {
namespace {

// Backward of every copy: the gradient, in the input's dtype and on its device.
class CopyNode : public Node {
 public:
  CopyNode(const char* name, const Tensor& x)
      : name_(name), dtype_(x.dtype()), device_(x.device()) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {grad_outputs[0].to(device_).to(dtype_)};
  }

 private:
  const char* name_;
  DType dtype_;
  Device device_;
};

Tensor copy_to(const char* name, const Tensor& x, const TensorOptions& options) {
  Tensor y = Tensor::empty(x.shape(), options);
  Context& ctx = context(x.device());
  ctx.kernels().copy(ctx, x.view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<CopyNode>(name, x), {x}, {y});
  return y;
}

}  // namespace

Tensor clone(const Tensor& x) {
  return copy_to("clone", x, x.options());
}

Tensor contiguous(const Tensor& x, Format format) {
  if (x.is_format(format)) return x;
  return copy_to("contiguous", x, {x.dtype(), x.device(), format});
}

Tensor convert(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (is_floating(dtype)) return copy_to("convert", x, {dtype, x.device(), x.format()});
  const NoGradGuard no_grad;  // integers carry no gradient
  return copy_to("convert", x, {dtype, x.device(), x.format()});
}

Tensor transfer(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  GESTALT_CHECK(x.device().is_cpu() || device.is_cpu(), "[transfer] {} to {}: not between devices",
                x.device(), device);
  const Tensor source = x.dense();
  Tensor y = Tensor::empty(x.shape(), {x.dtype(), device, source.format()});
  Context& ctx = context(device.is_cpu() ? x.device() : device);
  ctx.runtime().copy(ctx, y.view().data, source.view().data, x.numel() * size_of(x.dtype()),
                     device.is_cpu() ? CopyKind::device_to_host : CopyKind::host_to_device);
  if (needs_grad({x})) attach(std::make_shared<CopyNode>("transfer", x), {x}, {y});
  return y;
}

}  // namespace gestalt
