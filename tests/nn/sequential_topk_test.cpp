// Sequential runs a ReLU and Top-K inside the layer before them, and nobody can tell: outputs,
// gradients, running statistics and hooks are those of the layers one after the other.

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

#include "nn/fusion.h"
#include "nn/layers.h"
#include "nn/sequential.h"

namespace gestalt::nn {
namespace {

Tensor gaussian(const Shape& shape, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = normal(engine);
  return Tensor::from_vector(values, shape).to(DType::f32);
}

// Convolution, batch norm, ReLU, Top-K; convolution with bias, ReLU, Top-K; batch norm, ReLU.
std::shared_ptr<Sequential> network(double fraction, TopKMethod method) {
  Generator generator(7);
  auto net = std::make_shared<Sequential>();
  const auto conv = [&](int64_t in, int64_t out, bool bias) {
    return std::make_shared<Conv2d>(
        Conv2dOptions{
            .in_channels = in, .out_channels = out, .desc = {.padding = {1, 1}}, .bias = bias},
        generator);
  };
  net->add("conv1", conv(3, 6, false));
  net->add("bn1", std::make_shared<BatchNorm2d>(6));
  net->add("relu1", std::make_shared<ReLU>());
  net->add("topk1", std::make_shared<TopK>(fraction, method));
  net->add("conv2", conv(6, 5, true));
  net->add("relu2", std::make_shared<ReLU>());
  net->add("topk2", std::make_shared<TopK>(fraction, method));
  net->add("bn2", std::make_shared<BatchNorm2d>(5));
  net->add("relu3", std::make_shared<ReLU>());
  net->add("relu4", std::make_shared<ReLU>());
  net->add("topk3", std::make_shared<TopK>(fraction, method));
  return net;
}

struct Result {
  std::vector<std::vector<float>> values;  // y, gradients, buffers
};

// Output, gradients of the input and of all parameters, and buffers after one step.
Result step(Sequential& net, bool fused) {
  Tensor x = gaussian({2, 3, 9, 8}, 1).set_requires_grad(true);
  Tensor y = x;
  if (fused) {
    y = net(x);
  } else {
    for (const Module::Child& child : net.children()) y = (*child.module)(y);
  }
  y.backward(gaussian(y.shape(), 2));
  Result result{{y.to_vector<float>(), x.grad().to_vector<float>()}};
  for (const Tensor& parameter : net.parameters()) {
    if (parameter.grad().defined()) result.values.push_back(parameter.grad().to_vector<float>());
  }
  for (const Module::Named& buffer : net.named_buffers()) {
    result.values.push_back(buffer.tensor->to(DType::f32).to_vector<float>());
  }
  return result;
}

TEST(SequentialTopK, FusedAndNotAreTheSameBits) {
  for (const TopKMethod method :
       {TopKMethod::keep, TopKMethod::reverse, TopKMethod::mean_replace}) {
    for (const double fraction : {0.1, 0.5, 1.0}) {
      for (const bool training : {true, false}) {
        const auto first = network(fraction, method), second = network(fraction, method);
        first->train(training);
        second->train(training);
        EXPECT_EQ(step(*first, true).values, step(*second, false).values)
            << "method " << static_cast<int>(method) << ", fraction " << fraction;
      }
    }
  }
}

size_t length_of_run(const Sequential& net, size_t first) {
  const auto& children = net.children();
  Tensor x = gaussian({2, first == 0 ? 3 : (first < 5 ? 6 : 5), 9, 8}, 1);
  return run_fused(std::span(&children[first], children.size() - first), x).length;
}

TEST(SequentialTopK, WhichRunsAreFused) {
  const auto net = network(0.1, TopKMethod::keep);
  const std::vector<size_t> expected{0, 3, 2, 0, 3, 2, 0, 2, 0, 2, 0};
  std::vector<size_t> lengths;
  for (size_t i = 0; i < net->children().size(); ++i) lengths.push_back(length_of_run(*net, i));
  EXPECT_EQ(lengths, expected);
}

TEST(SequentialTopK, WhatIsNotFused) {
  const auto mean = network(0.1, TopKMethod::mean_replace);
  EXPECT_EQ(length_of_run(*mean, 1), 2u) << "the batch norm and its ReLU alone";
  EXPECT_EQ(length_of_run(*mean, 9), 0u);
  const auto hooked = network(0.1, TopKMethod::keep);
  hooked->find("relu1").register_forward_hook([](const Tensor&) { return Tensor(); });
  EXPECT_EQ(length_of_run(*hooked, 1), 0u);
  EXPECT_EQ(length_of_run(*hooked, 2), 0u);
}

TEST(SequentialTopK, HooksAndTapsSeeWhatTheyShould) {
  const auto net = network(0.25, TopKMethod::keep), plain = network(0.25, TopKMethod::keep);
  net->eval();
  plain->eval();
  const Tensor x = gaussian({2, 3, 9, 8}, 1);
  std::vector<std::vector<float>> expected;
  Tensor y = x;
  for (const Module::Child& child : plain->children()) {
    y = (*child.module)(y);
    expected.push_back(y.to_vector<float>());
  }
  std::vector<std::string> names;
  for (const Module::Child& child : net->children()) names.push_back(child.name);
  for (const auto& taps : {std::vector<std::string>{"bn1", "topk2"}, {"relu1"}, {"topk3"}, names}) {
    const std::vector<Tensor> seen = net->forward_taps(x, taps);
    for (size_t i = 0; i < taps.size(); ++i) {
      const size_t index = std::find(names.begin(), names.end(), taps[i]) - names.begin();
      EXPECT_EQ(seen[i].to_vector<float>(), expected[index]) << taps[i];
    }
  }
  std::vector<float> hooked;
  net->find("relu2").register_forward_hook([&](const Tensor& output) {
    hooked = output.to_vector<float>();
    return Tensor();
  });
  EXPECT_EQ((*net)(x).to_vector<float>(), expected.back());
  EXPECT_EQ(hooked, expected[5]);
}

}  // namespace
}  // namespace gestalt::nn
