#include "models/fastgan_checkpoint.h"

#include <algorithm>
#include <map>

#include "kernels/error.h"
#include "models/fastgan_published.h"
#include "tensor/io/checkpoint.h"

namespace gestalt::models {
namespace {

constexpr const char* mark = "fastgan_checkpoint";  // our own form's metadata, with its version

const std::string& required(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  GESTALT_CHECK(found != metadata.end(), "its metadata has no '{}'", key);
  return found->second;
}

int64_t whole_number(const Metadata& metadata, const std::string& key) {
  const std::string& text = required(metadata, key);
  const bool ok =
      !text.empty() && text.size() < 10 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  GESTALT_CHECK(ok, "its metadata has {} '{}'", key, text);
  return std::stoll(text);
}

FastGanOptions options_of(const Metadata& metadata) {
  FastGanOptions options{.image_size = whole_number(metadata, "im_size"),
                         .latent_size = whole_number(metadata, "nz"),
                         .base_channels = whole_number(metadata, "base_channels"),
                         .noise = whole_number(metadata, "noise") != 0};
  set_sparse(options, required(metadata, "sparse_hw_info"),
             required(metadata, "sp_hw_policy_name"));
  // Files from before there was another are of the sigmoid.
  if (metadata.contains("excitation")) {
    const std::string& text = required(metadata, "excitation");
    if (text == to_string(Excitation::linear)) options.excitation = Excitation::linear;
    GESTALT_CHECK(text == to_string(options.excitation), "its metadata has excitation '{}'", text);
  }
  return options;
}

FastGanCheckpoint from_our_form(Checkpoint& file) {
  FastGanCheckpoint checkpoint;
  checkpoint.options = options_of(file.metadata);
  const std::pair<std::string, StateDict*> parts[] = {
      {"g.", &checkpoint.generator},
      {"d.", &checkpoint.discriminator},
      {"g_ema.", &checkpoint.average},
      {"opt_g.", &checkpoint.generator_optimizer},
      {"opt_d.", &checkpoint.discriminator_optimizer}};
  for (NamedTensor& entry : file.tensors) {
    if (entry.name == "iter") {
      GESTALT_CHECK(entry.tensor.numel() == 1, "'iter' must be one number, is {}", entry.tensor);
      checkpoint.iterations = static_cast<int64_t>(entry.tensor.item());
      continue;
    }
    const auto part = std::find_if(std::begin(parts), std::end(parts), [&](const auto& each) {
      return entry.name.starts_with(each.first);
    });
    if (part == std::end(parts)) {
      checkpoint.other.push_back(std::move(entry));
    } else {
      part->second->push_back({entry.name.substr(part->first.size()), std::move(entry.tensor)});
    }
  }
  GESTALT_CHECK(!checkpoint.generator.empty(), "it has no generator");
  return checkpoint;
}

}  // namespace

FastGanCheckpoint read_fastgan_checkpoint(const std::string& path) {
  Checkpoint file = read_checkpoint(path, {.training_state = true});
  FastGanCheckpoint checkpoint;
  try {
    checkpoint =
        file.metadata.contains(mark) ? from_our_form(file) : from_published_form(std::move(file));
  } catch (const Error& error) {
    throw Error(format("cannot use '{}' as a FastGAN checkpoint: {}", path, error.what()));
  }
  checkpoint.path = path;
  return checkpoint;
}

Metadata fastgan_metadata(const FastGanOptions& options) {
  return {{mark, "1"},
          {"im_size", std::to_string(options.image_size)},
          {"nz", std::to_string(options.latent_size)},
          {"base_channels", std::to_string(options.base_channels)},
          {"noise", options.noise ? "1" : "0"},
          {"excitation", to_string(options.excitation)},
          {"sparse_hw_info", to_text(options.sparse)},
          {"sp_hw_policy_name", sparse_policy_name(options)}};
}

std::optional<FastGanDifference> first_difference(const FastGanCheckpoint& checkpoint,
                                                  const FastGanOptions& options) {
  const Metadata there = fastgan_metadata(checkpoint.options), here = fastgan_metadata(options);
  std::vector<const char*> settings = {"im_size", "nz", "noise", "base_channels"};
  if (checkpoint.excitation_known) settings.push_back("excitation");
  if (checkpoint.sparsity_known) {
    settings.insert(settings.end(), {"sparse_hw_info", "sp_hw_policy_name"});
  }
  for (const char* setting : settings) {
    if (there.at(setting) != here.at(setting)) {
      return FastGanDifference{setting, there.at(setting), here.at(setting)};
    }
  }
  return std::nullopt;
}

StateDict averaged_generator(const FastGanCheckpoint& checkpoint) {
  GESTALT_CHECK(!checkpoint.average.empty(), "'{}' has no average of the generator ('g_ema')",
                checkpoint.path);
  std::map<std::string, Tensor> averages;
  for (const NamedTensor& entry : checkpoint.average) averages[entry.name] = entry.tensor;
  StateDict state = checkpoint.generator;
  for (NamedTensor& entry : state) {
    if (const auto found = averages.find(entry.name); found != averages.end()) {
      entry.tensor = found->second;
      averages.erase(found);
    }
  }
  GESTALT_CHECK(averages.empty(), "'{}' has an average of '{}', which its generator has not",
                checkpoint.path, averages.begin()->first);
  return state;
}

StateDict optimizer_by_number(const StateDict& state, const nn::Module& network) {
  constexpr std::string_view prefix = "state.";
  std::map<std::string, size_t> numbers;
  for (const auto& parameter : network.named_parameters()) {
    numbers.emplace(parameter.name, numbers.size());
  }
  StateDict result;
  for (const NamedTensor& entry : state) {
    const size_t dot = entry.name.rfind('.');
    if (!entry.name.starts_with(prefix) || dot < prefix.size()) {
      result.push_back(entry);
      continue;
    }
    std::string key = entry.name.substr(prefix.size(), dot - prefix.size());
    if (!std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      const auto found = numbers.find(key);
      GESTALT_CHECK(found != numbers.end(), "the optimizer's state is of '{}', no parameter here",
                    key);
      key = std::to_string(found->second);
    }
    result.push_back({format("state.{}{}", key, entry.name.substr(dot)), entry.tensor});
  }
  return result;
}

}  // namespace gestalt::models
