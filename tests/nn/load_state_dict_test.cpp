#include <gtest/gtest.h>

#include "kernels/error.h"
#include "nn/module.h"

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

TEST(LoadStateDict, copies_by_name_converts_and_strips_module) {
  Layer layer;
  EXPECT_TRUE(layer.load_state_dict(fitting()).ok());
  EXPECT_EQ(layer.weight.to_vector<float>()[5], 1);
  EXPECT_EQ(layer.mean.to_vector<float>()[2], 2);
  EXPECT_EQ(layer.mean.dtype(), DType::f32);
}

TEST(LoadStateDict, a_strict_misfit_is_a_table_and_changes_nothing) {
  Layer layer;
  StateDict state = fitting();
  state[0].tensor = Tensor::zeros({4});
  state.push_back({"bias", Tensor::zeros({1})});
  try {
    layer.load_state_dict(state);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the state dict does not fit the network:\n  unexpected (1):\n    bias\n"
                 "  mismatched (1):\n    mean: expected [3], found [4]");
  }
  EXPECT_EQ(layer.weight.to_vector<float>()[0], 0);
  EXPECT_FALSE(layer.load_state_dict(state, false).ok());
  EXPECT_EQ(layer.weight.to_vector<float>()[0], 1);
}

}  // namespace
}  // namespace gestalt::nn
