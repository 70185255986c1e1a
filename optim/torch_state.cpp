#include "optim/torch_state.h"

#include <cmath>

#include "kernels/error.h"

namespace gestalt::optim {
namespace {

constexpr const char* unsupported[] = {"amsgrad", "maximize"};
constexpr const char* added_later[] = {"decoupled_weight_decay"};

std::string last_part(const std::string& name) {
  return name.substr(name.rfind('.') + 1);
}

std::string group_of(size_t group) {
  return "param_groups." + std::to_string(group) + ".";
}

// torch counts steps in a number or an f32.
NamedTensor step_of(const std::string& name, double value) {
  constexpr double most = 1LL << 53;
  GESTALT_CHECK(value >= 0 && value <= most && value == std::floor(value),
                "'{}' must be a whole number, is {}", name, value);
  return number(name, static_cast<int64_t>(value));
}

}  // namespace

StateDict torch_state(const Checkpoint& checkpoint, const std::string& prefix,
                      const Optimizer& into) {
  StateDict state;
  for (const NamedTensor& entry : part_of(checkpoint.tensors, prefix)) {
    const bool counts = last_part(entry.name) == "step" && entry.tensor.numel() == 1;
    state.push_back(counts ? step_of(entry.name, entry.tensor.item()) : entry);
  }
  for (const auto& [full_name, value] : checkpoint.numbers) {
    if (!full_name.starts_with(prefix)) continue;
    const std::string name = full_name.substr(prefix.size()), last = last_part(name);
    for (const char* option : unsupported) {
      GESTALT_CHECK(last != option || value == 0, "'{}' has '{}', which is not supported",
                    checkpoint.path, full_name);
    }
    state.push_back(last == "step" ? step_of(name, value) : number(name, value));
  }
  GESTALT_CHECK(find_tensor(state, group_of(0) + "lr") != nullptr,
                "'{}' has no optimizer state '{}': read it with training_state, and give the "
                "names' beginning up to 'param_groups'",
                checkpoint.path, prefix);

  const StateDict own = into.state_dict();
  for (size_t group = 0; group < into.groups(); ++group) {
    if (find_tensor(state, group_of(group) + "lr") == nullptr) continue;
    for (const char* option : added_later) {
      const std::string name = group_of(group) + option;
      const Tensor* value = find_tensor(own, name);
      if (value != nullptr && find_tensor(state, name) == nullptr) state.push_back({name, *value});
    }
  }
  return state;
}

}  // namespace gestalt::optim
