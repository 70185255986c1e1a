#pragma once

#include <string>

#include "tensor/state_dict.h"

namespace gestalt::tools {

// load_weights (tensor/io/checkpoint.h) for the users of a tool: of several state dicts they choose
// with convert_weights, and the error says so.
StateDict read_weights(const std::string& path);

}  // namespace gestalt::tools
