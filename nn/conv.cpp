#include "nn/conv.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "nn/relu_gradient.h"
#include "nn/topk.h"
#include "tensor/autograd.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

int64_t output_size(int axis, const Tensor& x, const Tensor& weight, const Conv2dDesc& desc) {
  const int64_t reach = desc.dilation[axis] * (weight.size(2 + axis) - 1) + 1;
  const int64_t room = x.size(2 + axis) + 2 * desc.padding[axis] - reach;
  GESTALT_CHECK(room >= 0,
                "[conv2d] kernel reaches over {} elements, the padded input has {} "
                "(input {}, weight {})",
                reach, room + reach, x, weight);
  return room / desc.stride[axis] + 1;
}

void check(const Tensor& x, const Tensor& weight, const Conv2dDesc& desc) {
  GESTALT_CHECK(x.rank() == 4 && weight.rank() == 4,
                "[conv2d] expected a 4-d input and weight, got input {}, weight {}", x, weight);
  const int64_t groups = desc.groups;
  GESTALT_CHECK(groups > 0 && x.size(1) % groups == 0 && weight.size(0) % groups == 0,
                "[conv2d] {} groups do not divide the channels (input {}, weight {})", groups, x,
                weight);
  GESTALT_CHECK(weight.size(1) * groups == x.size(1),
                "[conv2d] weight expects {} input channels, input has {} (input {}, weight {})",
                weight.size(1) * groups, x.size(1), x, weight);
  GESTALT_CHECK(weight.size(2) > 0 && weight.size(3) > 0, "[conv2d] the kernel of {} is empty",
                weight);
  for (int axis : {0, 1}) {
    GESTALT_CHECK(desc.stride[axis] > 0 && desc.dilation[axis] > 0 && desc.padding[axis] >= 0,
                  "[conv2d] stride {} and dilation {} must be positive, padding {} not negative",
                  desc.stride[axis], desc.dilation[axis], desc.padding[axis]);
  }
}

// x's, but of an image that lies both ways (of 1x1 pixels) the weight's, which may be far larger.
Format format_of(const Tensor& x, const Tensor& weight) {
  const View view = x.view();
  return view.is_contiguous() && view.is_channels_last() ? weight.format() : x.format();
}

void check_bias(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!bias.defined()) return;
  check_same_kind("conv2d", x, bias);
  GESTALT_CHECK(bias.rank() == 1 && bias.size(0) == weight.size(0),
                "[conv2d] bias expected {} elements, got {} (weight {})", weight.size(0), bias,
                weight);
}

class Conv2dNode : public Node {
 public:
  Conv2dNode(const Tensor& x, const Tensor& weight, const Tensor& y, const Conv2dDesc& desc)
      : x_shape_(x.shape()), weight_shape_(weight.shape()), desc_(desc), options_(y.options()) {
    options_.format = format_of(x, weight);
    if (x.requires_grad()) save("weight", weight);
    if (weight.requires_grad()) save("x", x);
    if (desc.activation == Activation::relu) save("y", y);
  }

  const char* name() const override { return "conv2d"; }

  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    Context& ctx = context(options_.device);
    const Format format = options_.format;
    const Tensor dy = desc_.activation == Activation::relu
                          ? relu_gradient(grad_outputs[0], saved("y"))
                          : grad_outputs[0].contiguous(format);
    Tensor dx, dw, db;
    if (needs[0]) {
      dx = Tensor::empty(x_shape_, options_);
      ctx.kernels().conv2d_backward_data(ctx, dy.view(), saved("weight").contiguous(format).view(),
                                         dx.view(), desc_);
    }
    if (needs[1]) {
      dw = Tensor::empty(weight_shape_, options_);
      ctx.kernels().conv2d_backward_weights(ctx, dy.view(), saved("x").contiguous(format).view(),
                                            dw.view(), desc_);
    }
    if (needs.size() > 2 && needs[2]) {
      db = Tensor::empty({weight_shape_[0]}, {options_.dtype, options_.device});
      ctx.kernels().sum_channels(ctx, dy.view(), db.view());
    }
    return {dx, dw, db};
  }

 private:
  Shape x_shape_, weight_shape_;
  Conv2dDesc desc_;
  TensorOptions options_;
};

}  // namespace

Shape conv2d_output_shape(const Tensor& x, const Tensor& weight, const Conv2dDesc& desc) {
  check(x, weight, desc);
  return {x.size(0), weight.size(0), output_size(0, x, weight, desc),
          output_size(1, x, weight, desc)};
}

Tensor conv2d(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
              const Conv2dDesc& desc) {
  const Tensor x = autocast(given_x), weight = autocast(given_weight), bias = autocast(given_bias);
  check_same_kind("conv2d", x, weight);
  const Shape shape = conv2d_output_shape(x, weight, desc);
  check_bias(x, weight, bias);
  check_fused_topk("conv2d", desc.activation, desc.topk, shape);
  const Format format = format_of(x, weight);
  Tensor y = Tensor::empty(shape, {x.dtype(), x.device(), format});
  {
    const NoGradGuard no_grad;  // changes of layout are not the user's business
    const Tensor weight_like_x = weight.contiguous(format);
    Context& ctx = context(x.device());
    ctx.kernels().conv2d_forward(ctx, x.contiguous(format).view(), weight_like_x.view(),
                                 OptionalView(bias), y.view(), desc);
  }
  if (needs_grad({x, weight, bias})) {
    attach(std::make_shared<Conv2dNode>(x, weight, y, desc), {x, weight, bias}, {y});
  }
  return y;
}

}  // namespace gestalt::nn
