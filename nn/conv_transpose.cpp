#include "nn/conv_transpose.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::nn {
namespace {

void check(const Tensor& x, const Tensor& weight, const Tensor& bias,
           const ConvTranspose2dDesc& desc) {
  check_same_kind("conv_transpose2d", x, weight);
  GESTALT_CHECK(x.rank() == 4 && weight.rank() == 4,
                "[conv_transpose2d] expected a 4-d input and weight, got input {}, weight {}", x,
                weight);
  GESTALT_CHECK(desc.groups > 0 && x.size(1) % desc.groups == 0,
                "[conv_transpose2d] {} groups do not divide the channels (input {}, weight {})",
                desc.groups, x, weight);
  GESTALT_CHECK(weight.size(0) == x.size(1),
                "[conv_transpose2d] weight expects {} input channels, input has {} (input {}, "
                "weight {})",
                weight.size(0), x.size(1), x, weight);
  for (int axis : {0, 1}) {
    GESTALT_CHECK(
        desc.stride[axis] > 0 && desc.dilation[axis] > 0 && desc.padding[axis] >= 0,
        "[conv_transpose2d] stride {} and dilation {} must be positive, padding {} not negative",
        desc.stride[axis], desc.dilation[axis], desc.padding[axis]);
    GESTALT_CHECK(desc.output_padding[axis] >= 0 && desc.output_padding[axis] < desc.stride[axis],
                  "[conv_transpose2d] output_padding {} must be less than the stride {}",
                  desc.output_padding[axis], desc.stride[axis]);
  }
  if (bias.defined()) {
    check_same_kind("conv_transpose2d", x, bias);
    GESTALT_CHECK(bias.rank() == 1 && bias.size(0) == weight.size(1) * desc.groups,
                  "[conv_transpose2d] bias expected {} elements, got {} (weight {})",
                  weight.size(1) * desc.groups, bias, weight);
  }
}

int64_t output_size(int axis, const Tensor& x, const Tensor& weight,
                    const ConvTranspose2dDesc& desc) {
  const int64_t size = (x.size(2 + axis) - 1) * desc.stride[axis] - 2 * desc.padding[axis] +
                       desc.dilation[axis] * (weight.size(2 + axis) - 1) +
                       desc.output_padding[axis] + 1;
  GESTALT_CHECK(size > 0,
                "[conv_transpose2d] the output would have no pixels (input {}, weight {})", x,
                weight);
  return size;
}

// Of the convolution whose gradient this is: from y to x.
Conv2dDesc forward_of(const ConvTranspose2dDesc& desc) {
  return {.stride = desc.stride,
          .padding = desc.padding,
          .dilation = desc.dilation,
          .groups = desc.groups};
}

class ConvTranspose2dNode : public Node {
 public:
  ConvTranspose2dNode(const Tensor& x, const Tensor& weight, const Tensor& y,
                      const ConvTranspose2dDesc& desc)
      : x_shape_(x.shape()),
        weight_shape_(weight.shape()),
        desc_(forward_of(desc)),
        options_(y.options()) {
    if (x.requires_grad()) save("weight", weight);
    if (weight.requires_grad()) save("x", x);
  }

  const char* name() const override { return "conv_transpose2d"; }

  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    Context& ctx = context(options_.device);
    const Format format = options_.format;
    const Tensor dy = grad_outputs[0].contiguous(format);
    Tensor dx, dw;
    if (needs[0]) {
      dx = Tensor::empty(x_shape_, options_);
      ctx.kernels().conv2d_forward(ctx, dy.view(), saved("weight").contiguous(format).view(),
                                   nullptr, dx.view(), desc_);
    }
    if (needs[1]) {
      dw = Tensor::empty(weight_shape_, options_);
      ctx.kernels().conv2d_backward_weights(ctx, saved("x").contiguous(format).view(), dy.view(),
                                            dw.view(), desc_);
    }
    return {dx, dw};
  }

 private:
  Shape x_shape_, weight_shape_;
  Conv2dDesc desc_;
  TensorOptions options_;
};

}  // namespace

Tensor conv_transpose2d(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
                        const ConvTranspose2dDesc& desc) {
  const Tensor x = autocast(given_x), weight = autocast(given_weight), bias = autocast(given_bias);
  check(x, weight, bias, desc);
  const Format format = x.format();
  Tensor y = Tensor::empty({x.size(0), weight.size(1) * desc.groups,
                            output_size(0, x, weight, desc), output_size(1, x, weight, desc)},
                           {x.dtype(), x.device(), format});
  {
    const NoGradGuard no_grad;
    Context& ctx = context(x.device());
    ctx.kernels().conv2d_backward_data(ctx, x.contiguous(format).view(),
                                       weight.contiguous(format).view(), y.view(),
                                       forward_of(desc));
  }
  if (needs_grad({x, weight})) {
    attach(std::make_shared<ConvTranspose2dNode>(x, weight, y, desc), {x, weight}, {y});
  }
  return bias.defined() ? y + reshape(bias, {1, y.size(1), 1, 1}) : y;
}

}  // namespace gestalt::nn
