#pragma once

// Where a training's state has gone astray, or a file of weights.

#include <optional>
#include <string>

#include "tensor/state_dict.h"

namespace gestalt::tools {

// The name of the first f32 tensor on the default device that holds what is not finite. Waits for
// the device.
std::optional<std::string> find_not_finite(const StateDict& state);

// Throws Error naming `file`, which the weights are of, and the tensor.
void check_finite(const StateDict& weights, const std::string& file);

// Of what finite weights made, which may have overflowed all the same: throws Error naming
// `picture` and the weights' file.
void check_finite_picture(const Tensor& image, const std::string& picture, const std::string& file);

}  // namespace gestalt::tools
