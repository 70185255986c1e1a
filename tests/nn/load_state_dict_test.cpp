#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

#include "kernels/error.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "tensor/random.h"

namespace gestalt::nn {
namespace {

struct Layer : Module {
  Layer() {
    register_parameter("weight", weight, Tensor::zeros({2, 3}));
    register_buffer("mean", mean, Tensor::zeros({3}));
  }
  Tensor weight, mean;
};

StateDict fitting() {
  return {{"module.mean", Tensor::full({3}, 2, {.dtype = DType::f64})},
          {"module.weight", Tensor::ones({2, 3})}};
}

TEST(LoadStateDict, CopiesByNameConvertsAndStripsModule) {
  Layer layer;
  EXPECT_TRUE(layer.load_state_dict(fitting()).ok());
  EXPECT_EQ(layer.weight.to_vector<float>()[5], 1);
  EXPECT_EQ(layer.mean.to_vector<float>()[2], 2);
  EXPECT_EQ(layer.mean.dtype(), DType::f32);
}

TEST(LoadStateDict, AStrictMisfitIsOneLineAndChangesNothing) {
  Layer layer;
  StateDict state = fitting();
  state[0].tensor = Tensor::zeros({4});
  for (const char* name : {"a", "b", "c", "d"}) state.push_back({name, Tensor::zeros({1})});
  try {
    layer.load_state_dict(state);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the state dict does not fit the network: 4 unexpected (a, b, c, ...); 1 of "
                 "another shape (mean: expected [3], found [4])");
  }
  EXPECT_EQ(layer.weight.to_vector<float>()[0], 0);
  EXPECT_FALSE(layer.load_state_dict(state, false).ok());
  EXPECT_EQ(layer.weight.to_vector<float>()[0], 1);
}

// How many numbers a generator has drawn shows in the next one.
TEST(SkipInit, DrawsNothingWhileItLivesAndEverythingAfterwards) {
  const auto next_after_linear = [](bool skip) {
    Generator generator(3);
    std::optional<SkipInitGuard> guard;
    if (skip) guard.emplace();
    const Linear linear(5, 7, generator);
    guard.reset();
    return generator.uniform({4}).to_vector<float>();
  };
  Generator fresh(3);
  EXPECT_EQ(next_after_linear(true), fresh.uniform({4}).to_vector<float>());
  EXPECT_NE(next_after_linear(false), next_after_linear(true));
}

TEST(SkipInit, EndsWithTheOutermostGuard) {
  Tensor x = Tensor::zeros({100});
  Generator generator(0);
  {
    const SkipInitGuard outer;
    { const SkipInitGuard inner; }
    const SkipInitGuard changes_nothing(false);
    init_normal(x, 0, 1, generator);
    init_uniform(x, 1, 2, generator);
    EXPECT_EQ(x.to_vector<float>(), std::vector<float>(100, 0));
  }
  init_uniform(x, 1, 2, generator);
  const std::vector<float> drawn = x.to_vector<float>();
  EXPECT_TRUE(std::all_of(drawn.begin(), drawn.end(), [](float v) { return v >= 1 && v < 2; }));
}

}  // namespace
}  // namespace gestalt::nn
