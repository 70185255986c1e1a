#pragma once

// Tensors by name: what modules and optimizers save and load, and what files of weights hold.

#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

struct NamedTensor {
  std::string name;  // dotted path, "features.0.weight"
  Tensor tensor;
};

// In the order of the file or of the modules.
using StateDict = std::vector<NamedTensor>;

// The tensor of that name, the first of several; null where there is none.
const Tensor* find_tensor(const StateDict& state, std::string_view name);

// A checkpoint is put together of parts: names of `from` go into `to` after `prefix` ("model."),
// and come out of a state without it; none where the state has no such part, which the
// load_state_dict that gets it says. Both share memory with what they were given.
//   StateDict state;
//   add_part(state, "model.", network.state_dict());
//   add_part(state, "optimizer.", optimizer.state_dict());
//   write_safetensors(path, state);
// and back:
//   const StateDict state = read_safetensors(map_file(path));
//   network.load_state_dict(part_of(state, "model."));
//   optimizer.load_state_dict(part_of(state, "optimizer."));
void add_part(StateDict& to, const std::string& prefix, const StateDict& from);
StateDict part_of(const StateDict& state, const std::string& prefix);

// What PyTorch's DataParallel and DistributedDataParallel put before the names of what they wrap.
inline constexpr std::string_view data_parallel_prefix = "module.";

// Takes `prefix` off the front of every name that has it; how many had.
size_t strip_prefix(StateDict& state, std::string_view prefix = data_parallel_prefix);

}  // namespace gestalt
