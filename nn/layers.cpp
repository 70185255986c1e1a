#include "nn/layers.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "nn/pad.h"
#include "nn/pool.h"
#include "nn/resize.h"
#include "nn/topk.h"
#include "nn/weight_shape.h"
#include "tensor/autograd.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {
namespace {

Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, Generator& generator) {
  Tensor tensor = Tensor::empty(shape);
  init_fan_in_uniform(tensor, fan_in, generator);
  return tensor;
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options, Generator& generator) : options_(options) {
  const Shape shape =
      conv_weight_shape("Conv2d", options, options.out_channels, options.in_channels);
  const int64_t fan_in = shape.numel() / shape[0];
  register_parameter("weight", weight_, fan_in_uniform(shape, fan_in, generator));
  if (options.bias) {
    register_parameter("bias", bias_, fan_in_uniform({options.out_channels}, fan_in, generator));
  }
}

Tensor Conv2d::forward(const Tensor& x, Activation activation) {
  Conv2dDesc desc = options_.desc;
  desc.activation = activation;
  return conv2d(x, weight_, bias_, desc);
}

Tensor Conv2d::forward_relu_topk(const Tensor& x, double fraction, TopKMode mode) {
  Conv2dDesc desc = options_.desc;
  const Shape y = conv2d_output_shape(x, weight_, desc);
  desc.activation = Activation::relu;
  desc.topk = {.k = topk_count(fraction, y[2], y[3]), .mode = mode};
  return conv2d(x, weight_, bias_, desc);
}

ConvTranspose2d::ConvTranspose2d(const ConvTranspose2dOptions& options, Generator& generator)
    : desc_(options.desc) {
  const Shape shape =
      conv_weight_shape("ConvTranspose2d", options, options.in_channels, options.out_channels);
  const int64_t fan_in = shape.numel() / shape[0];
  register_parameter("weight", weight_, fan_in_uniform(shape, fan_in, generator));
  if (options.bias) {
    register_parameter("bias", bias_, fan_in_uniform({options.out_channels}, fan_in, generator));
  }
}

Tensor ConvTranspose2d::forward(const Tensor& x) {
  return conv_transpose2d(x, weight_, bias_, desc_);
}

Linear::Linear(int64_t in_features, int64_t out_features, Generator& generator, bool bias) {
  const Shape shape = linear_weight_shape("Linear", in_features, out_features);
  register_parameter("weight", weight_, fan_in_uniform(shape, in_features, generator));
  if (bias) {
    register_parameter("bias", bias_, fan_in_uniform({out_features}, in_features, generator));
  }
}

Tensor Linear::forward(const Tensor& x) {
  return linear(x, weight_, bias_);
}
Tensor ReLU::forward(const Tensor& x) {
  return relu(x);
}
Tensor MaxPool2d::forward(const Tensor& x) {
  return max_pool2d(x, desc_);
}
Tensor AvgPool2d::forward(const Tensor& x) {
  return avg_pool2d(x, desc_);
}
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) {
  return adaptive_avg_pool2d(x, output_);
}
Tensor ConstantPad2d::forward(const Tensor& x) {
  return constant_pad2d(x, padding_, value_);
}
Tensor ReflectionPad2d::forward(const Tensor& x) {
  return reflection_pad2d(x, {padding_, padding_, padding_, padding_});
}

Tensor Upsample::forward(const Tensor& x) {
  return resize_nearest(x, {x.size(2) * factor_, x.size(3) * factor_});
}

BatchNorm2d::BatchNorm2d(int64_t channels, const BatchNormDesc& desc) : desc_(desc) {
  register_parameter("weight", weight_, Tensor::ones({channels}));
  register_parameter("bias", bias_, Tensor::zeros({channels}));
  register_buffer("running_mean", running_mean_, Tensor::zeros({channels}));
  register_buffer("running_var", running_variance_, Tensor::ones({channels}));
  register_buffer("num_batches_tracked", batches_, Tensor::zeros({}, {.dtype = DType::i64}),
                  InFiles::optional);
}

Tensor BatchNorm2d::forward(const Tensor& x, Activation activation, const Tensor& residual) {
  BatchNormDesc desc = desc_;
  desc.activation = activation;
  return forward(x, desc, residual);
}

Tensor BatchNorm2d::forward_relu_topk(const Tensor& x, double fraction, TopKMode mode) {
  BatchNormDesc desc = desc_;
  desc.activation = Activation::relu;
  desc.topk = {.k = topk_count(fraction, x.size(2), x.size(3)), .mode = mode};
  return forward(x, desc);
}

Tensor BatchNorm2d::forward(const Tensor& x, const BatchNormDesc& desc, const Tensor& residual) {
  if (!is_training()) {
    return batch_norm_inference(x, weight_, bias_, running_mean_, running_variance_, desc,
                                residual);
  }
  count_batch();
  return batch_norm_training(x, weight_, bias_, running_mean_, running_variance_, desc, residual);
}

void BatchNorm2d::count_batch() {
  // On the device: a step that reads no value can be captured.
  Context& ctx = context(batches_.device());
  ctx.kernels().add_scalar(ctx, batches_.view(), 1, batches_.view());
  batches_.bump_version();
}

TopK::TopK(double fraction, TopKMethod method) : method_(method) {
  set_fraction(fraction);
}

void TopK::set_fraction(double fraction) {
  GESTALT_CHECK(fraction > 0 && fraction <= 1,
                "the fraction kept by Top-K must be in (0, 1], got {}", fraction);
  fraction_ = fraction;
}

std::optional<TopKMode> TopK::mode() const {
  if (method_ == TopKMethod::mean_replace) return std::nullopt;
  return method_ == TopKMethod::keep ? TopKMode::keep : TopKMode::reverse;
}

Tensor TopK::forward(const Tensor& x) {
  return mode() ? topk(x, fraction_, *mode()) : topk_mean_replace(x, fraction_);
}

Tensor Flatten::forward(const Tensor& x) {
  return flatten(x, 1);
}

}  // namespace gestalt::nn
