#include "nn/spectral_norm.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"

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

// What PyTorch's layers did, of tests/fixtures/spectral_norm.
class SpectralNormOfPyTorch : public testing::Test {
 protected:
  void compare(nn::SpectralWeight& layer, const std::string& name) const {
    SCOPED_TRACE(name);
    const StateDict all = find_state_dict(file_, {.prefix = name});
    const auto recorded = [&](const std::string& entry) {
      return std::find_if(all.begin(), all.end(),
                          [&](const NamedTensor& each) { return each.name == entry; })
          ->tensor;
    };
    layer.to(DType::f64);
    layer.load_state_dict(part_of(all, "before."));
    const Tensor x = recorded("x").clone();
    x.set_requires_grad(true);
    Tensor y;
    for (const char* step : {"y0", "y1", "y2"}) {
      y = layer(x);
      expect_near(y, recorded(step), step);
    }
    y.backward(recorded("dy"));
    expect_near(x.grad(), recorded("dx"), "dx");
    const StateDict gradients = part_of(all, "gradient."), after = part_of(all, "after.");
    const auto parameters = layer.named_parameters();
    ASSERT_EQ(parameters.size(), gradients.size());
    for (size_t i = 0; i < parameters.size(); ++i) {  // in PyTorch's order
      EXPECT_EQ(parameters[i].name, gradients[i].name);
      expect_near(parameters[i].tensor->grad(), gradients[i].tensor, gradients[i].name);
    }
    const auto buffers = layer.named_buffers();
    ASSERT_EQ(buffers.size(), after.size());
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(buffers[i].name, after[i].name);
      expect_near(*buffers[i].tensor, after[i].tensor, after[i].name);
    }
    layer.eval();
    expect_near(layer(x), recorded("evaluated"), "evaluated");
  }

 private:
  static void expect_near(const Tensor& got, const Tensor& expected, const std::string& what) {
    ASSERT_EQ(got.shape(), expected.shape()) << what;
    const auto a = got.to_vector<double>(), b = expected.to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_NEAR(a[i], b[i], 1e-13 * std::max(1.0, std::abs(b[i]))) << what << " " << i;
  }

  const Checkpoint file_ = read_checkpoint(
      (tests::source_folder() / "tests/fixtures/spectral_norm/layers.pth").string());
};

TEST_F(SpectralNormOfPyTorch, Convolutions) {
  Generator generator(0);
  nn::SpectralConv2d conv({.in_channels = 4,
                           .out_channels = 3,
                           .desc = {.stride = {2, 2}, .padding = {1, 1}},
                           .bias = true},
                          generator);
  compare(conv, "conv");
  nn::SpectralConv2d groups(
      {.in_channels = 4, .out_channels = 2, .desc = {.groups = 2}, .bias = true, .iterations = 3},
      generator);
  compare(groups, "groups");
  nn::SpectralConvTranspose2d transposed(
      {.in_channels = 4, .out_channels = 2, .kernel = {2, 2}, .bias = true}, generator);
  compare(transposed, "transposed");
}

TEST_F(SpectralNormOfPyTorch, Linear) {
  Generator generator(0);
  nn::SpectralLinear linear({.in_features = 4, .out_features = 3}, generator);
  compare(linear, "linear");
  nn::SpectralLinear epsilon({.in_features = 4, .out_features = 3, .bias = false, .epsilon = 1.2},
                             generator);
  compare(epsilon, "epsilon");
}

TEST(SpectralNorm, LayersAreDrawnAsToldAndCheckTheirOptions) {
  Generator generator(7);
  const auto largest = [](const nn::Module& layer, size_t parameter) {
    double result = 0;
    for (const double value : layer.named_parameters()[parameter].tensor->to_vector<double>()) {
      result = std::max(result, std::abs(value));
    }
    return result;
  };
  const nn::SpectralLinear linear({.in_features = 25, .out_features = 100}, generator);
  for (const size_t parameter : {0, 1}) {  // the bias, the weight: up to 1 / sqrt(25)
    EXPECT_GT(largest(linear, parameter), 0.18);
    EXPECT_LE(largest(linear, parameter), 0.2);
  }
  const nn::SpectralConv2d conv({.in_channels = 64, .out_channels = 32, .bias = true}, generator);
  EXPECT_LE(largest(conv, 0), 1.0 / 24);
  EXPECT_GT(largest(conv, 1), 0.06) << "of N(0, 0.02)";
  const auto refusal = [&](const nn::SpectralConv2dOptions& options) {
    return tests::error_of([&] { nn::SpectralConv2d(options, generator); });
  };
  EXPECT_EQ(refusal({.in_channels = 4}),
            "[SpectralConv2d] in_channels and out_channels must be positive, got 4 and 0");
  EXPECT_EQ(refusal({.in_channels = 4, .out_channels = 4, .desc = {.groups = 0}}),
            "[SpectralConv2d] 0 groups do not divide 4 input and 4 output channels");
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
