#pragma once

// Where a few-shot training's state has gone astray.

#include <optional>
#include <string>

#include "tools/fewshot/model.h"

namespace gestalt::tools {

// "the generator's feat_8.conv1.weight_orig": the first tensor of the model's state that holds what
// is not finite. Waits for the device.
std::optional<std::string> find_not_finite(const GanModel& model);

}  // namespace gestalt::tools
