// States of torch's optimizers, as read_checkpoint gives them.

#include "optim/torch_state.h"

#include <gtest/gtest.h>

#include "optim/adam.h"
#include "tests/error_of.h"

namespace gestalt::optim {
namespace {

using tests::error_of;

Tensor parameter() {
  return Tensor::ones({2}).set_requires_grad(true);
}

// Of PyTorch 1.13, whose Adam writes no decoupled_weight_decay and counts steps in an f32.
Checkpoint adam_file() {
  Checkpoint file;
  file.path = "train.pth";
  file.tensors = {{"model.weight", Tensor::ones({2})},
                  {"opt.state.0.step", Tensor::full({}, 3)},
                  {"opt.state.0.exp_avg", Tensor::full({2}, 0.5)},
                  {"opt.state.0.exp_avg_sq", Tensor::full({2}, 0.25)}};
  file.numbers = {{"epoch", 7},
                  {"opt.param_groups.0.lr", 0.125},
                  {"opt.param_groups.0.betas.0", 0.5},
                  {"opt.param_groups.0.betas.1", 0.75},
                  {"opt.param_groups.0.eps", 1e-6},
                  {"opt.param_groups.0.weight_decay", 0.25},
                  {"opt.param_groups.0.amsgrad", 0},
                  {"opt.param_groups.0.params.0", 0}};
  return file;
}

TEST(TorchState, OfAdamLoads) {
  for (const bool decoupled : {false, true}) {
    Adam adam({parameter()}, {.decoupled_weight_decay = decoupled});
    adam.load_state_dict(torch_state(adam_file(), "opt.", adam));
    EXPECT_EQ(adam.learning_rate(), 0.125);
    const StateDict state = adam.state_dict();
    EXPECT_EQ(require_integer("test", state, "state.0.step"), 3);
    EXPECT_EQ(require("test", state, "state.0.exp_avg_sq").to_vector<float>(),
              std::vector<float>(2, 0.25));
    EXPECT_EQ(require_number("test", state, "param_groups.0.betas.1"), 0.75);
    EXPECT_EQ(require_number("test", state, "param_groups.0.decoupled_weight_decay"), decoupled);
  }
}

TEST(TorchState, OfTheNameItselfWins) {
  Adam adam({parameter()}, {});
  Checkpoint file = adam_file();
  file.numbers.push_back({"opt.param_groups.0.decoupled_weight_decay", 1});
  adam.load_state_dict(torch_state(file, "opt.", adam));
  EXPECT_EQ(require_number("test", adam.state_dict(), "param_groups.0.decoupled_weight_decay"), 1);
}

// The whole file may be the state, and older versions count steps in an integer.
TEST(TorchState, MayBeTheWholeFile) {
  Adam adam({parameter()}, {});
  Checkpoint file = adam_file();
  file.tensors = part_of(file.tensors, "opt.");
  file.tensors.erase(file.tensors.begin());
  for (Checkpoint::Number& each : file.numbers) {
    if (each.name.starts_with("opt.")) each.name.erase(0, 4);
  }
  file.numbers.push_back({"state.0.step", 9});
  adam.load_state_dict(torch_state(file, "", adam));
  EXPECT_EQ(require_integer("test", adam.state_dict(), "state.0.step"), 9);
}

TEST(TorchState, SaysWhatItCannotTake) {
  const Adam adam({parameter()}, {});
  EXPECT_EQ(error_of([&] {
              torch_state(adam_file(), "optimizer.", adam);
            }).find("'train.pth' has no optimizer state 'optimizer.': read it with"),
            0u);
  Checkpoint file = adam_file();
  file.numbers[6].value = 1;
  EXPECT_EQ(error_of([&] { torch_state(file, "opt.", adam); }),
            "'train.pth' has 'opt.param_groups.0.amsgrad', which is not supported");
  file = adam_file();
  file.tensors[1].tensor = Tensor::full({}, 2.5);
  EXPECT_EQ(error_of([&] { torch_state(file, "opt.", adam); }),
            "'state.0.step' must be a whole number, is 2.5");
}

}  // namespace
}  // namespace gestalt::optim
