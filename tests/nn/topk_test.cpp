// What nn/topk.h promises beyond the cases: how k is counted, the identity, errors, what is saved.

#include "nn/topk.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "nn/loss.h"
#include "tensor/autograd.h"
#include "tests/error_of.h"

namespace gestalt::nn {
namespace {

using tests::error_of;

Tensor image() {
  return Tensor::from_vector(std::vector<float>{3, -1, 0, 2, -5, 4, 1, -2}, {1, 2, 2, 2});
}

TEST(TopKCount, IsPythonsInt) {
  // int(max(1, f * h * w)) printed by Python; left to right: 0.15 * 3 * 100 is 44.999..., while
  // 0.15 * (3 * 100) is 45.
  EXPECT_EQ(topk_count(0.15, 3, 100), 44);
  EXPECT_EQ(topk_count(0.15, 24, 25), 89);
  EXPECT_EQ(topk_count(0.2, 112, 112), 2508);
  EXPECT_EQ(topk_count(0.05, 256, 256), 3276);
  EXPECT_EQ(topk_count(0.05, 16, 16), 12);
  EXPECT_EQ(topk_count(0.1, 7, 7), 4);
  EXPECT_EQ(topk_count(0.01, 3, 3), 1);
  EXPECT_EQ(topk_count(1.0 / 3, 3, 3), 3);
  EXPECT_EQ(topk_count(1.0, 14, 14), 196);
}

TEST(TopK, KeepsByMagnitude) {
  const std::vector<float> keep{3, 0, 0, 0, -5, 0, 0, 0}, reverse{0, -1, 0, 2, 0, 4, 1, -2};
  EXPECT_EQ(topk(image(), 0.25).to_vector<float>(), keep);
  EXPECT_EQ(topk(image(), 0.25, TopKMode::reverse).to_vector<float>(), reverse);
}

TEST(TopK, AFractionOfOneIsTheIdentity) {
  const Tensor x = image();
  EXPECT_TRUE(topk(x, 1.0).is_same(x));
  EXPECT_TRUE(topk(x, 1.0, TopKMode::reverse).is_same(x));
  EXPECT_TRUE(topk(x, {.k = 4}).is_same(x));
  EXPECT_TRUE(topk_mean_replace(x, 1.0).is_same(x));
}

TEST(TopK, BadArgumentsAreNamed) {
  for (double fraction : {0.0, -0.1, 1.01, std::nan("")}) {
    EXPECT_NE(error_of([&] { topk(image(), fraction); }).find("[topk] the fraction must be in"),
              std::string::npos);
  }
  EXPECT_EQ(error_of([] { topk(image(), {.k = 5}); }),
            "[topk] k must be in 1..4 (H*W), got 5 (input f32[1,2,2,2])");
  EXPECT_EQ(error_of([] { topk_mean_replace(image(), int64_t{0}); }),
            "[topk_mean_replace] k must be in 1..4 (H*W), got 0 (input f32[1,2,2,2])");
  EXPECT_EQ(error_of([] {
              topk(Tensor::zeros({2, 8}), 0.5);
            }),
            "[topk] expected a floating input [N,C,H,W], got f32[2,8]");
}

TEST(TopK, TheGradientSurvivesChangesOfTheInputAndOutput) {
  // Only the mask is saved, so both may be overwritten.
  Tensor leaf = image().set_requires_grad(true);
  const Tensor x = leaf.clone();
  const Tensor y = topk(x, 0.25);
  x.detach().fill_(7);
  const std::vector<float> dy{1, 2, 3, 4, 5, 6, 7, 8}, expected{1, 0, 0, 0, 5, 0, 0, 0};
  y.backward(Tensor::from_vector(dy, {1, 2, 2, 2}));
  EXPECT_EQ(leaf.grad().to_vector<float>(), expected);
}

TEST(CrossEntropy, ATargetOutsideTheClassesIsNamed) {
  const Tensor logits = Tensor::zeros({2, 3});
  const Tensor target = Tensor::from_vector(std::vector<int64_t>{1, 3}, {2});
  EXPECT_EQ(error_of([&] { cross_entropy(logits, target); }),
            "[cross_entropy] target 3 of row 1 is not one of the 3 classes");
}

}  // namespace
}  // namespace gestalt::nn
