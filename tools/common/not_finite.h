#pragma once

// Where a training's state has gone astray.

#include <optional>
#include <string>

#include "tensor/state_dict.h"

namespace gestalt::tools {

// The name of the first f32 tensor on the default device that holds what is not finite. Waits for
// the device.
std::optional<std::string> find_not_finite(const StateDict& state);

}  // namespace gestalt::tools
