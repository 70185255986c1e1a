// What the cases do not say: training and evaluation, streams, how much is dropped.

#include "nn/dropout.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "nn/sequential.h"

namespace gestalt::nn {
namespace {

TEST(Dropout, EvaluationIsTheIdentity) {
  Dropout layer(0.5);
  layer.eval();
  const Tensor x = Tensor::ones({4, 4});
  EXPECT_TRUE(layer(x).is_same(x));
}

TEST(Dropout, DropsTheFractionAndKeepsTheMean) {
  const std::vector<float> y = dropout(Tensor::ones({100000}), 0.25, {1, 2}).to_vector<float>();
  const auto zeros = std::count(y.begin(), y.end(), 0.0f);
  EXPECT_NEAR(static_cast<double>(zeros), 25000, 600);  // more than four deviations
  EXPECT_EQ(std::count(y.begin(), y.end(), 4.0f / 3), 100000 - zeros);
}

TEST(Dropout, EveryForwardAndEveryLayerHasItsOwnStream) {
  Sequential network;
  network.append(std::make_shared<Dropout>(0.5));
  network.append(std::make_shared<Dropout>(0.5));
  const Tensor x = Tensor::ones({64});
  Module &first = *network.children()[0].module, &second = *network.children()[1].module;
  seed_dropout(network, 3, 10);
  const auto a = first(x).to_vector<float>(), b = second(x).to_vector<float>();
  EXPECT_NE(a, b);
  EXPECT_NE(a, first(x).to_vector<float>());
  seed_dropout(network, 3, 10);
  EXPECT_EQ(a, first(x).to_vector<float>());
  seed_dropout(network, 3, 11);
  EXPECT_NE(a, first(x).to_vector<float>());
}

TEST(Dropout, RefusesAProbabilityOfOne) {
  EXPECT_THROW(Dropout(1.0), Error);
  EXPECT_THROW(dropout(Tensor::ones({2}), -0.1, {}), Error);
}

}  // namespace
}  // namespace gestalt::nn
