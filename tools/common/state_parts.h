#pragma once

#include <string>

#include "tensor/state_dict.h"

namespace gestalt::tools {

// A checkpoint is put together of parts: names of `from` go into `to` behind `prefix` ("model."),
// and come out of a state without it.
void add_part(StateDict& to, const std::string& prefix, const StateDict& from);
StateDict part_of(const StateDict& state, const std::string& prefix);

}  // namespace gestalt::tools
