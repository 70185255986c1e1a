// How the error of f32 convolution grows over the depth of VGG-19, against f64: the taps of texture
// synthesis and the gradient to the image, with Winograd and exact.

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "nn/conv.h"
#include "nn/pool.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/random.h"

namespace gestalt {
namespace {

struct Layer {
  int64_t outputs;
  bool pool_after;
};
const Layer layers[] = {{64, false},  {64, true},   {128, false}, {128, true},
                        {256, false}, {256, false}, {256, false}, {256, true},
                        {512, false}, {512, false}, {512, false}, {512, true}};
constexpr int64_t image_size = 48;

struct Evaluation {
  std::vector<Tensor> taps;  // relu1_1 and the four pools
  Tensor gradient;           // to the image, of the last tap's sum of squares / 2
};

Evaluation evaluate(DType dtype, bool exact) {
  Generator generator(7);
  const auto draw = [&](const Shape& shape, double deviation) {  // the same values in each dtype
    return generator.normal(shape, 0, deviation).to(dtype);
  };
  Tensor image = draw({1, 3, image_size, image_size}, 50);
  image.set_requires_grad(true);
  const ExactGuard guard(image.device(), exact);
  Evaluation result;
  Tensor x = image;
  for (const Layer& layer : layers) {
    const int64_t inputs = x.size(1);
    const Tensor weight = draw({layer.outputs, inputs, 3, 3}, std::sqrt(2.0 / (9.0 * inputs)));
    x = nn::conv2d(x, weight, draw({layer.outputs}, 0.1),
                   {.padding = {1, 1}, .activation = Activation::relu});
    if (result.taps.empty()) result.taps.push_back(x);
    if (layer.pool_after) result.taps.push_back(x = nn::avg_pool2d(x));
  }
  x.backward(x.detach());
  result.gradient = image.grad();
  return result;
}

// Root mean square of the difference, relative to that of the expected values.
double relative_error(const Tensor& got, const Tensor& expected) {
  const std::vector<double> a = got.to_vector<double>(), b = expected.to_vector<double>();
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

TEST(ConvDepth, ErrorOverVgg19) {
  const Evaluation expected = evaluate(DType::f64, false);
  for (bool exact : {false, true}) {
    const Evaluation got = evaluate(DType::f32, exact);
    const double allowed = exact ? 2e-6 : 2e-5;  // what is promised: 1e-5 and 1e-3
    for (size_t i = 0; i < expected.taps.size(); ++i) {
      const double error = relative_error(got.taps[i], expected.taps[i]);
      EXPECT_TRUE(error <= allowed) << "tap " << i << (exact ? ", exact: " : ": ") << error;
    }
    const double error = relative_error(got.gradient, expected.gradient);
    EXPECT_TRUE(error <= allowed) << "gradient" << (exact ? ", exact: " : ": ") << error;
  }
}

}  // namespace
}  // namespace gestalt
