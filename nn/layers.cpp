#include "nn/layers.h"

#include <cmath>

#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/pad.h"
#include "nn/pool.h"
#include "nn/resize.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {
namespace {

Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, Generator& generator) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  return generator.uniform(shape, -bound, bound);
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options, Generator& generator) : options_(options) {
  const int64_t in_per_group = options.in_channels / options.desc.groups;
  const Shape shape{options.out_channels, in_per_group, options.kernel[0], options.kernel[1]};
  const int64_t fan_in = in_per_group * options.kernel[0] * options.kernel[1];
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

Linear::Linear(int64_t in_features, int64_t out_features, Generator& generator) {
  register_parameter("weight", weight_,
                     fan_in_uniform({out_features, in_features}, in_features, generator));
  register_parameter("bias", bias_, fan_in_uniform({out_features}, in_features, generator));
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
Tensor ReflectionPad2d::forward(const Tensor& x) {
  return reflection_pad2d(x, {padding_, padding_, padding_, padding_});
}

Tensor Upsample::forward(const Tensor& x) {
  return resize_nearest(x, {x.size(2) * factor_, x.size(3) * factor_});
}

Tensor Flatten::forward(const Tensor& x) {
  return flatten(x, 1);
}

}  // namespace gestalt::nn
