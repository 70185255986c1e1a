// What the cases do not show of the distance: pixels without length, equal arrays to the bit,
// arrays close to each other, and what it refuses.

#include "nn/unit_distance.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"

namespace gestalt::nn {
namespace {

constexpr Format formats[] = {Format::contiguous, Format::channels_last};
constexpr DType dtypes[] = {DType::f32, DType::bf16, DType::f16, DType::f64};

class UnitDistanceTest : public testing::Test {
 protected:
  Tensor random(const Shape& shape, DType dtype, Format format) {
    return random_.normal(shape).to(dtype).contiguous(format);
  }
  Tensor weights(int64_t channels, DType dtype) {
    return random_.uniform({channels}, 0, 2).to(dtype == DType::f64 ? dtype : DType::f32);
  }

  Generator random_{9};
};

TEST_F(UnitDistanceTest, EqualArraysHaveNone) {
  for (const Format format : formats) {
    for (const DType dtype : dtypes) {
      Tensor a = random({2, 37, 5, 9}, dtype, format);
      a.set_requires_grad(true);
      const Tensor distance = unit_distance(a, a.detach(), weights(37, dtype));
      for (const double value : distance.to_vector<double>()) EXPECT_EQ(value, 0);
      sum(distance).backward();
      for (const double value : a.grad().to_vector<double>()) ASSERT_EQ(value, 0);
    }
  }
}

// There |a| = 2 epsilon: the gradient is 2 w (0 - b / |b|) / |a|, averaged over the pixels.
TEST_F(UnitDistanceTest, TheGradientIsFiniteWithoutLength) {
  for (const Format format : formats) {
    Tensor a = Tensor::zeros({1, 2, 1, 2}).contiguous(format);
    a.set_requires_grad(true);
    const Tensor b = Tensor::from_vector<float>({3, 1, 4, 0}, {1, 2, 1, 2}).contiguous(format);
    const Tensor weight = Tensor::from_vector<float>({1, 2}, {2});
    const Tensor distance = unit_distance(a, b, weight);
    EXPECT_NEAR(distance.item(), ((0.36 + 2 * 0.64) + 1) / 2, 1e-6);
    sum(distance).backward();
    const std::vector<float> gradient = a.grad().to_vector<float>();
    const double expected[] = {-0.6, -1, -1.6, 0};
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(gradient[i] / 5e9, expected[i], 1e-6) << i;
  }
}

// Expanded squares would leave nothing of it.
TEST_F(UnitDistanceTest, ArraysCloseToEachOther) {
  for (const Format format : formats) {
    const Tensor a = random({1, 64, 8, 8}, DType::f32, format);
    const Tensor b = a + random({1, 64, 8, 8}, DType::f32, format) * 1e-4;
    const Tensor weight = weights(64, DType::f32);
    const double got = unit_distance(a, b, weight).item();
    const double expected =
        unit_distance(a.to(DType::f64), b.to(DType::f64), weight.to(DType::f64)).item();
    EXPECT_NEAR(got / expected, 1, 1e-4);
    EXPECT_GT(expected, 1e-9);
  }
}

TEST_F(UnitDistanceTest, WhatDoesNotFit) {
  const Tensor a = Tensor::zeros({1, 3, 2, 2}), weight = Tensor::zeros({3});
  EXPECT_THROW(unit_distance(a, Tensor::zeros({1, 3, 2, 1}), weight), Error);
  EXPECT_THROW(unit_distance(a, a.to(DType::f64), weight), Error);
  EXPECT_THROW(unit_distance(a, a, Tensor::zeros({4})), Error);
  EXPECT_THROW(unit_distance(a, a, weight.to(DType::bf16)), Error);
  EXPECT_THROW(unit_distance(weight, weight, weight), Error);
}

}  // namespace
}  // namespace gestalt::nn
