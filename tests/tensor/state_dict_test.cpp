// States put together of parts, and taken apart again.

#include "tensor/state_dict.h"

#include <gtest/gtest.h>

namespace gestalt {
namespace {

std::vector<std::string> names_of(const StateDict& state) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : state) names.push_back(entry.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(StateParts, ComeOutAsTheyWentIn) {
  const Tensor weight = Tensor::ones({2}), step = Tensor::full({1}, 7);
  StateDict state;
  add_part(state, "model.", {{"fc.weight", weight}, {"model.bias", step}});
  add_part(state, "models.", {{"step", step}});
  add_part(state, "other.model.", {{"step", step}});
  EXPECT_EQ(names_of(state),
            (Names{"model.fc.weight", "model.model.bias", "models.step", "other.model.step"}));
  const StateDict model = part_of(state, "model.");
  EXPECT_EQ(names_of(model), (Names{"fc.weight", "model.bias"}));
  EXPECT_TRUE(model[0].tensor.is_same(weight));
  EXPECT_EQ(names_of(part_of(state, "models.")), (Names{"step"}));
  EXPECT_TRUE(part_of(state, "optimizer.").empty());
}

TEST(StripPrefix, TakesItOffTheFrontAlone) {
  const Tensor x = Tensor::ones({1});
  StateDict state = {{"module.fc.weight", x}, {"fc.module.bias", x}, {"module.module.a", x}};
  EXPECT_EQ(strip_prefix(state), 2u);
  EXPECT_EQ(names_of(state), (Names{"fc.weight", "fc.module.bias", "module.a"}));
  EXPECT_EQ(strip_prefix(state, "fc."), 2u);
  EXPECT_EQ(strip_prefix(state, "none."), 0u);
  EXPECT_EQ(names_of(state), (Names{"weight", "module.bias", "module.a"}));
}

}  // namespace
}  // namespace gestalt
