#pragma once

// What the published code's checkpoints do not tell of their network, and the flags that do.

#include <optional>
#include <string>

#include "models/fastgan_checkpoint.h"
#include "tools/common/choice.h"

namespace gestalt::tools {

// For transform() of --sparse_hw_info: the published "None" is "none".
CLI::Validator published_none();

// Of --excitation; auto: that of the checkpoint, and of new networks the sigmoid.
using GivenExcitation = std::optional<models::Excitation>;
inline const Names<GivenExcitation> excitation_names = {{"auto", std::nullopt},
                                                        {"sigmoid", models::Excitation::sigmoid},
                                                        {"linear", models::Excitation::linear}};

// Lines for the user; empty where the checkpoint tells it, or its flag was given.
struct Untold {
  std::string sparsity, excitation;
};
Untold untold_of(const models::FastGanCheckpoint& checkpoint, bool sparsity_given,
                 bool excitation_given);

}  // namespace gestalt::tools
