// The distance's two forms; its values and gradients are compared with PyTorch's in
// tests/parity/lpips.py.

#include "models/lpips.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "nn/autocast.h"
#include "nn/layers.h"
#include "tensor/allocator.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"

namespace gestalt::models {
namespace {

constexpr int64_t channels = 8;

// A network with AlexNet's taps, small.
std::shared_ptr<nn::Sequential> make_features(Generator& random) {
  auto features = std::make_shared<nn::Sequential>();
  for (const char kind : {'c', 'r', 'p', 'c', 'r', 'p', 'c', 'r', 'c', 'r', 'c', 'r'}) {
    if (kind == 'r') {
      features->append(std::make_shared<nn::ReLU>());
    } else if (kind == 'p') {
      features->append(std::make_shared<nn::AvgPool2d>(Pool2dDesc{}));
    } else {
      const bool first = features->children().empty();
      features->append(
          std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = first ? 3 : channels,
                                                         .out_channels = channels,
                                                         .desc = {.padding = {1, 1}}},
                                       random));
    }
  }
  return features;
}

class LpipsTest : public testing::Test {
 protected:
  Lpips make_lpips() {
    StateDict linear;
    for (int i = 0; i < 5; ++i) {
      linear.push_back({format("lin{}.model.1.weight", i), random_.uniform({1, channels, 1, 1})});
    }
    return {"alexnet", make_features(random_), linear};
  }

  Generator random_{4};
};

TEST_F(LpipsTest, ASummedDistanceIsTheSameWithoutKeepingThePass) {
  const Lpips lpips = make_lpips();
  const Tensor target = random_.uniform({2, 3, 64, 64}, -1, 1);
  const LpipsActivations activations = lpips.activations(target);
  const Tensor values = random_.uniform({2, 3, 64, 64}, -1, 1);
  struct Run {
    double value;
    size_t kept;
    std::vector<float> gradient;
  };
  const auto run = [&](auto&& distance) {
    Tensor images = values.clone();
    images.set_requires_grad(true);
    const size_t before = memory_stats(Device{}).in_use;
    const Tensor loss = distance(images) * 3.0;
    Run result{loss.item(), memory_stats(Device{}).in_use - before, {}};
    loss.backward();
    result.gradient = images.grad().to_vector<float>();
    return result;
  };
  const Run plain = run([&](const Tensor& images) {
    return sum(lpips.distance(lpips.activations(images), activations));
  });
  const Run at_once =
      run([&](const Tensor& images) { return lpips.summed_distance(images, activations); });
  EXPECT_EQ(at_once.value, plain.value);
  EXPECT_GT(at_once.value, 0);
  ASSERT_EQ(at_once.gradient.size(), plain.gradient.size());
  for (size_t i = 0; i < plain.gradient.size(); ++i) {
    ASSERT_NEAR(at_once.gradient[i], plain.gradient[i], 1e-6 + 1e-5 * std::abs(plain.gradient[i]))
        << i;
  }
  EXPECT_LE(at_once.kept, values.numel() * sizeof(float) + 4096);
  EXPECT_GT(plain.kept, 3 * at_once.kept);
}

TEST_F(LpipsTest, ASummedDistanceWithoutGradient) {
  const Lpips lpips = make_lpips();
  const Tensor a = random_.uniform({1, 3, 64, 64}, -1, 1),
               b = random_.uniform({1, 3, 64, 64}, -1, 1);
  const Tensor distance = lpips.summed_distance(a, lpips.activations(b));
  EXPECT_FALSE(distance.requires_grad());
  EXPECT_EQ(distance.item(), sum(lpips(a, b)).item());
}

// Whatever of the two was made under autocast.
TEST_F(LpipsTest, UnderAutocastTheNetworkAloneIsReduced) {
  const Lpips lpips = make_lpips();
  const Tensor a = random_.uniform({1, 3, 64, 64}, -1, 1),
               b = random_.uniform({1, 3, 64, 64}, -1, 1);
  const LpipsActivations wide_a = lpips.activations(a), wide_b = lpips.activations(b);
  const double expected = lpips.distance(wide_a, wide_b).item();
  const nn::AutocastGuard guard(DType::bf16);
  const LpipsActivations reduced_a = lpips.activations(a), reduced_b = lpips.activations(b);
  for (const Tensor& activation : reduced_a) EXPECT_EQ(activation.dtype(), DType::bf16);
  for (const LpipsActivations& left : {wide_a, reduced_a}) {
    for (const LpipsActivations& right : {wide_b, reduced_b}) {
      const Tensor distance = lpips.distance(left, right);
      EXPECT_EQ(distance.dtype(), DType::f32);
      EXPECT_NEAR(distance.item(), expected, 0.02 * expected);
    }
  }
}

}  // namespace
}  // namespace gestalt::models
