#include "nn/linear_gradient.h"

#include <gtest/gtest.h>

#include "nn/augment.h"
#include "nn/pool.h"
#include "tests/error_of.h"

namespace gestalt::nn {
namespace {

TEST(LinearGradient, NamesWhatWasKeptAndChanged) {
  const Tensor x = Tensor::ones({1, 1, 3, 3}).set_requires_grad(true);
  Tensor offsets = Tensor::zeros({1, 2}, {DType::i64});
  const Tensor y = translate(x, offsets, {3, 3});
  offsets.fill_(1);
  const std::string message = tests::error_of([&] { y.backward(Tensor::ones(y.shape())); });
  EXPECT_PRED_FORMAT2(testing::IsSubstring, "[translate]", message);
  EXPECT_PRED_FORMAT2(testing::IsSubstring, "'offsets'", message);
}

TEST(LinearGradient, HasTheInputsFormatWhereThatOfTheOutputIsEither) {
  const Tensor x = Tensor::ones({1, 3, 2, 2}, {.format = Format::channels_last});
  const Tensor leaf = x.clone().set_requires_grad(true);
  adaptive_avg_pool2d(leaf, {1, 1}).backward(Tensor::ones({1, 3, 1, 1}));
  EXPECT_EQ(leaf.grad().format(), Format::channels_last);
  EXPECT_EQ(leaf.grad().to_vector<float>(), std::vector<float>(12, 0.25f));
}

}  // namespace
}  // namespace gestalt::nn
