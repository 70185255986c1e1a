#include "tensor/state_dict.h"

namespace gestalt {

const Tensor* find_tensor(const StateDict& state, std::string_view name) {
  for (const NamedTensor& entry : state) {
    if (entry.name == name) return &entry.tensor;
  }
  return nullptr;
}

void add_part(StateDict& to, const std::string& prefix, const StateDict& from) {
  for (const NamedTensor& entry : from) to.push_back({prefix + entry.name, entry.tensor});
}

StateDict part_of(const StateDict& state, const std::string& prefix) {
  StateDict result;
  for (const NamedTensor& entry : state) {
    if (entry.name.starts_with(prefix)) {
      result.push_back({entry.name.substr(prefix.size()), entry.tensor});
    }
  }
  return result;
}

size_t strip_prefix(StateDict& state, std::string_view prefix) {
  size_t count = 0;
  for (NamedTensor& entry : state) {
    if (!entry.name.starts_with(prefix)) continue;
    entry.name.erase(0, prefix.size());
    ++count;
  }
  return count;
}

}  // namespace gestalt
