#include "models/fastgan_published.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "kernels/error.h"

namespace gestalt::models {
namespace {

StateDict below(const Checkpoint& file, const std::string& prefix) {
  StateDict result = part_of(file.tensors, prefix);
  strip_prefix(result);
  return result;
}

// "a.b.c" to {"a", "b.c"}.
std::pair<std::string, std::string> first_part(const std::string& name) {
  const size_t dot = std::min(name.find('.'), name.size());
  return {name.substr(0, dot), dot == name.size() ? "" : name.substr(dot + 1)};
}

bool is_buffer(const std::string& name) {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  return leaf == "weight_u" || leaf == "weight_v" || leaf == "running_mean" ||
         leaf == "running_var" || leaf == "num_batches_tracked";
}

std::optional<int64_t> resolution_of_block(const std::string& name) {
  constexpr std::string_view prefix = "feat_";
  if (!name.starts_with(prefix)) return std::nullopt;
  int64_t resolution = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, resolution);
  if (error != std::errc() || stop != end) return std::nullopt;
  return resolution;
}

// One child of a block of the generator.
struct Child {
  std::string name;
  std::set<std::string> leaves;
  enum Kind { convolution, norm, noise };
  Kind kind() const {
    if (leaves.contains("weight_orig")) return convolution;
    return leaves.size() > 1 ? norm : noise;
  }
};

// Old names of a block's children to ours. They are told by what they hold, so that it matters
// little what they are called: numbers, conv1, main.conv1.
std::map<std::string, std::string> new_names(const std::vector<Child>& children) {
  const auto convolutions = std::count_if(children.begin(), children.end(), [](const Child& child) {
    return child.kind() == Child::convolution;
  });
  std::map<std::string, std::string> names;
  int number = 0;  // of the convolution
  for (const Child& child : children) {
    const Child::Kind kind = child.kind();
    if (kind == Child::convolution) ++number;
    if (convolutions == 1 && kind != Child::noise) {  // a plain up block: 0 to 3
      names[child.name] = format("{}", kind == Child::convolution ? 1 : 2);
    } else {
      const char* ours = kind == Child::convolution ? "conv" : kind == Child::norm ? "bn" : "noise";
      names[child.name] = format("{}{}", ours, number);
    }
  }
  return names;
}

// "feat_8.main.conv1.weight_orig" to its block "feat_8", child "main.conv1" and leaf.
struct BlockTensor {
  std::string block, child, leaf;
};

std::optional<BlockTensor> as_block_tensor(const std::string& name) {
  const auto [block, rest] = first_part(name);
  const size_t dot = rest.rfind('.');
  if (!resolution_of_block(block) || dot == std::string::npos) return std::nullopt;
  return BlockTensor{block, rest.substr(0, dot), rest.substr(dot + 1)};
}

class Numbers {
 public:
  explicit Numbers(const Checkpoint& file) {
    for (const auto& [name, value] : file.numbers) values_[name] = value;
    for (const NamedTensor& entry : file.tensors) {  // newer versions keep 'step' as a tensor
      if (entry.tensor.numel() == 1) values_.emplace(entry.name, entry.tensor.item());
    }
  }
  const double* find(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, double> values_;
};

// Whether the file is of the published code with Top-K, not of FastGAN's own, from which that came:
// it alone writes where it stands, and names the children of blocks where noise is off.
bool is_of_topk_code(const Checkpoint& file, const StateDict& generator, const Numbers& numbers) {
  const auto is_named = [](const NamedTensor& entry) {
    const auto part = as_block_tensor(entry.name);
    return part && part->child.ends_with("conv1");
  };
  const auto is_performance = [](const Checkpoint::Number& number) {
    return number.name.starts_with("performance.");
  };
  return numbers.find("iter") != nullptr ||
         std::any_of(file.numbers.begin(), file.numbers.end(), is_performance) ||
         std::any_of(generator.begin(), generator.end(), is_named);
}

void rename_blocks(StateDict& generator) {
  std::map<std::string, std::vector<Child>> blocks;  // children in the order of the file
  for (const NamedTensor& entry : generator) {
    const auto part = as_block_tensor(entry.name);
    if (!part) continue;
    std::vector<Child>& children = blocks[part->block];
    const auto found = std::find_if(children.begin(), children.end(),
                                    [&](const Child& child) { return child.name == part->child; });
    Child& child = found == children.end() ? children.emplace_back(Child{part->child, {}}) : *found;
    child.leaves.insert(part->leaf);
  }
  std::map<std::string, std::map<std::string, std::string>> names;
  for (const auto& [block, children] : blocks) names[block] = new_names(children);
  for (NamedTensor& entry : generator) {
    if (const auto part = as_block_tensor(entry.name)) {
      entry.name = format("{}.{}.{}", part->block, names[part->block][part->child], part->leaf);
    }
  }
}

bool is_noise(const std::string& name) {
  const auto part = as_block_tensor(name);
  return part && part->child.starts_with("noise");
}

// Noise that was never switched on has weights that are still zero: the network has no noise.
bool has_noise(const StateDict& generator) {
  return std::any_of(generator.begin(), generator.end(), [](const NamedTensor& entry) {
    if (!is_noise(entry.name)) return false;
    const std::vector<double> values = entry.tensor.to_vector<double>();
    return std::any_of(values.begin(), values.end(), [](double value) { return value != 0; });
  });
}

void drop_noise(StateDict& state) {
  std::erase_if(state, [](const NamedTensor& entry) { return is_noise(entry.name); });
}

std::vector<std::string> parameter_names(const StateDict& network) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : network) {
    if (!is_buffer(entry.name)) names.push_back(entry.name);
  }
  return names;
}

StateDict averages(const Checkpoint& file, const StateDict& generator) {
  StateDict list = below(file, "g_ema.");
  const bool by_number = std::all_of(list.begin(), list.end(), [](const NamedTensor& entry) {
    return entry.name.find('.') == std::string::npos;
  });
  if (!by_number) {
    rename_blocks(list);
    std::erase_if(list, [](const NamedTensor& entry) { return is_buffer(entry.name); });
    return list;
  }
  const std::vector<std::string> names = parameter_names(generator);
  GESTALT_CHECK(list.empty() || list.size() == names.size(),
                "'g_ema' has {} tensors, the generator {} parameters", list.size(), names.size());
  for (size_t i = 0; i < list.size(); ++i) list[i].name = names[i];
  return list;
}

template <class T>
Tensor number(T value) {
  return Tensor::from_vector<T>({value}, {1}, {.device = Device{}});
}

// torch.optim.Adam's state_dict(), `key` in the file, of a network whose parameters have these
// names.
StateDict adam_state(const Checkpoint& file, const Numbers& numbers, const std::string& key,
                     const std::vector<std::string>& names) {
  const std::string group = key + ".param_groups.0.";
  if (numbers.find(group + "lr") == nullptr) return {};
  GESTALT_CHECK(numbers.find(key + ".param_groups.1.lr") == nullptr,
                "'{}' has several parameter groups", key);
  for (const char* option : {"amsgrad", "maximize"}) {
    const double* value = numbers.find(group + option);
    GESTALT_CHECK(value == nullptr || *value == 0, "'{}' has '{}', which is not supported", key,
                  option);
  }
  std::map<std::string, const Tensor*> tensors;
  for (const NamedTensor& entry : file.tensors) tensors[entry.name] = &entry.tensor;
  StateDict state;
  for (size_t i = 0;; ++i) {
    const double* id = numbers.find(format("{}params.{}", group, i));
    if (id == nullptr) {
      GESTALT_CHECK(i == names.size(), "'{}' is of {} parameters, its network has {}", key, i,
                    names.size());
      break;
    }
    GESTALT_CHECK(i < names.size(), "'{}' is of more than the {} parameters of its network", key,
                  names.size());
    const std::string from = format("{}.state.{}.", key, static_cast<int64_t>(*id));
    const double* step = numbers.find(from + "step");
    if (step == nullptr) continue;  // it never had a gradient
    const std::string to = format("state.{}.", names[i]);
    state.push_back({to + "step", number(static_cast<int64_t>(*step))});
    for (const char* moment : {"exp_avg", "exp_avg_sq"}) {
      const auto found = tensors.find(from + moment);
      GESTALT_CHECK(found != tensors.end(), "'{}' has no '{}{}'", key, from, moment);
      state.push_back({to + moment, *found->second});
    }
  }
  for (const char* option : {"lr", "betas.0", "betas.1", "eps", "weight_decay"}) {
    const double* value = numbers.find(group + option);
    GESTALT_CHECK(value != nullptr, "'{}' is no state of Adam: it has no '{}'", key, option);
    state.push_back({format("param_groups.0.{}", option), number(*value)});
  }
  state.push_back({"param_groups.0.decoupled_weight_decay", number(0.0)});
  return state;
}

FastGanOptions options_of(const StateDict& generator) {
  FastGanOptions options;
  options.image_size = 0;
  for (const NamedTensor& entry : generator) {
    const int64_t resolution = resolution_of_block(first_part(entry.name).first).value_or(0);
    options.image_size = std::max(options.image_size, resolution);
  }
  const Tensor* init = find_tensor(generator, "init.init.0.weight_orig");
  GESTALT_CHECK(options.image_size > 0 && init != nullptr && init->rank() == 4,
                "'g' is no generator of FastGAN: no feat_8, no init.init.0.weight_orig");
  options.latent_size = init->size(0);
  options.base_channels = init->size(1) / 32;
  options.noise = has_noise(generator);
  return options;
}

}  // namespace

FastGanCheckpoint from_published_form(Checkpoint file) {
  FastGanCheckpoint checkpoint;
  checkpoint.generator = below(file, "g.");
  checkpoint.discriminator = below(file, "d.");
  GESTALT_CHECK(!checkpoint.generator.empty(), "it has no generator 'g'");
  const Numbers numbers(file);
  const bool topk_code = is_of_topk_code(file, checkpoint.generator, numbers);
  rename_blocks(checkpoint.generator);
  checkpoint.options = options_of(checkpoint.generator);
  checkpoint.options.excitation = topk_code ? Excitation::linear : Excitation::sigmoid;
  checkpoint.excitation_known = checkpoint.sparsity_known = false;
  checkpoint.average = averages(file, checkpoint.generator);
  checkpoint.generator_optimizer =
      adam_state(file, numbers, "opt_g", parameter_names(checkpoint.generator));
  checkpoint.discriminator_optimizer =
      adam_state(file, numbers, "opt_d", parameter_names(checkpoint.discriminator));
  if (const double* iterations = numbers.find("iter")) {
    checkpoint.iterations = static_cast<int64_t>(*iterations);
  }
  if (!checkpoint.options.noise) {
    drop_noise(checkpoint.generator);
    drop_noise(checkpoint.average);
    std::erase_if(checkpoint.generator_optimizer, [](const NamedTensor& entry) {
      const auto [state, name] = first_part(entry.name);
      return state == "state" && is_noise(name.substr(0, name.rfind('.')));
    });
  }
  return checkpoint;
}

}  // namespace gestalt::models
