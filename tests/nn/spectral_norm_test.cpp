#include "nn/spectral_norm.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace gestalt {
namespace {

const TensorOptions f64{DType::f64};

double length(const Tensor& x) {
  double sum = 0;
  for (const double value : x.to_vector<double>()) sum += value * value;
  return std::sqrt(sum);
}

TEST(SpectralNorm, FindsTheLargestSingularValue) {
  // Singular values 3, 2 and 0.5 by construction: a diagonal, with columns to spare.
  const Tensor weight =
      Tensor::from_vector<double>({3, 0, 0, 0, 0, -2, 0, 0, 0, 0, 0.5, 0}, {3, 4});
  Generator generator(1);
  Tensor u = generator.normal({3}, 0, 1, f64), v = generator.normal({4}, 0, 1, f64);
  const Tensor y = nn::spectral_normalize(weight, u, v, {.iterations = 60}, true);
  const std::vector<double> got = y.to_vector<double>(), from = weight.to_vector<double>();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], from[i] / 3, 1e-12) << i;
  EXPECT_NEAR(length(u), 1, 1e-12);
  EXPECT_NEAR(length(v), 1, 1e-12);
}

TEST(SpectralNorm, OneStepIsOneStepOfPowerIteration) {
  const Tensor weight = Tensor::from_vector<double>({1, 2, -1, 0.5, 3, 1}, {2, 3});
  Tensor u = Tensor::from_vector<double>({0.6, 0.8}, {2}), v = Tensor::zeros({3}, f64);
  const Tensor y = nn::spectral_normalize(weight, u, v, {}, true);
  // W^T u = (1, 3.6, 0.2) before it is scaled to length 1, then W v alike.
  const double scale = std::sqrt(1 + 3.6 * 3.6 + 0.04);
  const std::vector<double> right = {1 / scale, 3.6 / scale, 0.2 / scale};
  const double a = right[0] + 2 * right[1] - right[2];
  const double b = 0.5 * right[0] + 3 * right[1] + right[2];
  const double sigma = std::sqrt(a * a + b * b);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(v.to_vector<double>()[i], right[i], 1e-14);
  EXPECT_NEAR(u.to_vector<double>()[0], a / sigma, 1e-14);
  EXPECT_NEAR(u.to_vector<double>()[1], b / sigma, 1e-14);
  EXPECT_NEAR(y.to_vector<double>()[4], 3 / sigma, 1e-14);
}

TEST(SpectralNorm, TransposedConvolutionsTakeTheSecondDimensionAsRows) {
  Generator generator(2);
  const Tensor weight = generator.normal({2, 5, 3, 3}, 0, 1, f64);
  Tensor u = generator.normal({5}, 0, 1, f64), v = generator.normal({18}, 0, 1, f64);
  Tensor u_rows = u.clone(), v_rows = v.clone();
  const Tensor y = nn::spectral_normalize(weight, u, v, {.dim = 1}, true);
  const Tensor rows = transpose(weight, 0, 1).contiguous();
  const Tensor expected = transpose(nn::spectral_normalize(rows, u_rows, v_rows, {}, true), 0, 1);
  EXPECT_EQ(y.to_vector<double>(), expected.to_vector<double>());
}

TEST(SpectralNorm, GradientAgreesWithFiniteDifferences) {
  Generator generator(3);
  Tensor weight = generator.normal({3, 2, 2, 2}, 0, 1, f64);
  const Tensor direction = generator.normal({3, 2, 2, 2}, 0, 1, f64);
  Tensor u = generator.normal({3}, 0, 1, f64), v = generator.normal({8}, 0, 1, f64);
  nn::spectral_normalize(weight, u, v, {.iterations = 3}, true);
  const auto value = [&](const Tensor& at) {
    return sum(nn::spectral_normalize(at, u, v, {}, false) * direction);
  };
  weight.set_requires_grad(true);
  value(weight).backward();
  const std::vector<double> gradient = weight.grad().to_vector<double>();
  std::vector<double> values = weight.to_vector<double>();
  const double step = 1e-6;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto moved = [&](double by) {
      std::vector<double> copy = values;
      copy[i] += by;
      return value(Tensor::from_vector(copy, weight.shape())).item();
    };
    EXPECT_NEAR(gradient[i], (moved(step) - moved(-step)) / (2 * step), 1e-8) << i;
  }
}

TEST(SpectralNorm, VectorsMoveInTrainingAlone) {
  Generator generator(4);
  nn::SpectralConv2d layer({.in_channels = 3, .out_channels = 4, .desc = {.padding = {1, 1}}},
                           generator);
  const Tensor x = generator.normal({1, 3, 5, 5});
  const auto vector = [&] { return layer.named_buffers()[0].tensor->to_vector<float>(); };
  const std::vector<float> before = vector();
  layer.eval();
  layer(x);
  EXPECT_EQ(vector(), before);
  layer.train();
  layer(x);
  EXPECT_NE(vector(), before);
  ASSERT_EQ(layer.named_parameters().size(), 1u);
  EXPECT_EQ(layer.named_parameters()[0].name, "weight_orig");
  EXPECT_EQ(layer.named_buffers()[0].name, "weight_u");
  EXPECT_EQ(layer.named_buffers()[1].name, "weight_v");
}

TEST(SpectralNorm, TwoForwardsBeforeOneBackward) {
  Generator generator(5);
  nn::SpectralConv2d layer({.in_channels = 2, .out_channels = 3}, generator);
  const Tensor x = generator.normal({1, 2, 5, 5});
  const Tensor loss = sum(layer(x)) + sum(layer(x));  // the vectors have moved between
  loss.backward();
  EXPECT_TRUE(layer.named_parameters()[0].tensor->grad().defined());
}

TEST(SpectralNorm, VectorsOfOtherSizesAreRefused) {
  Generator generator(6);
  const Tensor weight = generator.normal({3, 4});
  Tensor u = generator.normal({4}), v = generator.normal({4});
  EXPECT_THROW(nn::spectral_normalize(weight, u, v, {}, true), Error);
}

}  // namespace
}  // namespace gestalt
