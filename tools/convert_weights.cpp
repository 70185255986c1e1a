// convert_weights IN OUT.safetensors: weights of any readable form, listed, renamed, converted.

#include <algorithm>
#include <cstdio>

#include "kernels/error.h"
#include "models/registry.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/known_files.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

struct Settings {
  std::string in, out, architecture;
  bool list = false, quiet = false;
  SelectOptions select;
  std::vector<std::string> renames;
  std::string dtype;
  models::ModelOptions model;
};

// FROM=TO: a whole name, or the front of names where FROM ends with a dot.
void rename(StateDict& state, const std::string& rule) {
  const size_t equals = rule.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(format("--rename wants FROM=TO, got '{}'", rule));
  }
  const std::string from = rule.substr(0, equals), to = rule.substr(equals + 1);
  size_t count = 0;
  for (NamedTensor& entry : state) {
    if (entry.name == from) {
      entry.name = to;
    } else if (from.ends_with('.') && entry.name.starts_with(from)) {
      entry.name = to + entry.name.substr(from.size());
    } else {
      continue;
    }
    ++count;
    GESTALT_CHECK(!entry.name.empty(), "--rename {} leaves a tensor without a name", rule);
  }
  GESTALT_CHECK(count > 0, "--rename {}: no tensor is named so", rule);
}

// What is taken: the chosen or only state dict; all of them under their full names where there are
// several and none is chosen.
StateDict take(const Checkpoint& checkpoint, const SelectOptions& select) {
  const std::vector<Checkpoint::Group> candidates = candidate_groups(checkpoint);
  if (!select.prefix.empty() || candidates.size() == 1) return find_state_dict(checkpoint, select);
  std::printf("several state dicts, all are taken (--select takes one):");
  for (const Checkpoint::Group& group : candidates) std::printf(" %s", group.prefix.c_str());
  std::printf("\n");
  return checkpoint.tensors;
}

void convert_dtype(StateDict& state, DType dtype) {
  for (NamedTensor& entry : state) {
    if (is_floating(entry.tensor.dtype())) entry.tensor = entry.tensor.to(dtype);
  }
}

void print_list(const StateDict& state) {
  size_t width = 0;
  int64_t values = 0, bytes = 0;
  for (const NamedTensor& entry : state) {
    width = std::max(width, entry.name.size());
    values += entry.tensor.numel();
    bytes += entry.tensor.numel() * size_of(entry.tensor.dtype());
  }
  for (const NamedTensor& entry : state) {
    std::printf("%-*s  %-4s  %s\n", static_cast<int>(width), entry.name.c_str(),
                to_string(entry.tensor.dtype()).c_str(), to_string(entry.tensor.shape()).c_str());
  }
  std::printf("%zu tensors, %lld values, %.3f MB\n", state.size(), static_cast<long long>(values),
              static_cast<double>(bytes) / 1e6);
}

// Throws Error with the table of what is missing, unexpected or of another shape.
void check_fits(const StateDict& state, const std::string& architecture,
                const models::ModelOptions& options) {
  const auto network = models::make_model(architecture, options);
  const StateDictReport report = network->check_state_dict(state);
  const size_t all = network->state_dict().size() + state.size();
  GESTALT_CHECK(report.ok(), "the weights do not fit {}:{}", architecture, to_string(report, all));
  std::printf("fits %s\n", architecture.c_str());
}

int convert(const Settings& settings) {
  const Checkpoint checkpoint = read_checkpoint(settings.in);
  std::printf("%s: %s\n", settings.in.c_str(), checkpoint.format.c_str());
  if (const auto known = known_file(map_file(settings.in))) {
    std::printf("known by its hash: %s\n", known->c_str());
  }
  for (const std::string& line : checkpoint.passed_over) {
    std::printf("passed over: %s\n", line.c_str());
  }
  StateDict state = take(checkpoint, settings.select);
  for (const std::string& rule : settings.renames) rename(state, rule);
  if (!settings.dtype.empty()) convert_dtype(state, parse_dtype(settings.dtype));
  if (settings.list || !settings.quiet) print_list(state);
  if (!settings.architecture.empty()) check_fits(state, settings.architecture, settings.model);
  if (settings.list) return exit_done;
  write_safetensors(settings.out, state, checkpoint.metadata);
  std::printf("wrote %s\n", settings.out.c_str());
  return exit_done;
}

}  // namespace
}  // namespace gestalt::tools

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  Tool tool(
      "convert_weights",
      "Reads weights (safetensors, PyTorch's .pth and .pt in every form, pickled modules) and\n"
      "writes them as safetensors. Nothing in a file is ever run.",
      CommonFlags::none);
  Settings settings;
  CLI::App& app = tool.app();
  app.add_option("in", settings.in, "the weights to read")->required();
  auto* out = app.add_option("out", settings.out, "the safetensors file to write");
  auto* list = app.add_flag("--list", settings.list, "only list what would be taken");
  list->excludes(out);
  app.add_option(
         "--select", settings.select.prefix,
         "the state dict to take: net, state_dict, g ...; found by itself if it is the only "
         "one")
      ->type_name("PREFIX");
  app.add_option("--strip", settings.select.strip, "taken off the front of names")
      ->type_name("PREFIX");
  app.add_option("--rename", settings.renames,
                 "a name, or a front of names that ends in a dot; repeatable")
      ->type_name("FROM=TO")
      ->allow_extra_args(false);
  app.add_option("--dtype", settings.dtype, "what floating tensors become")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "f64"}));
  app.add_option("--architecture", settings.architecture,
                 "check names and shapes against this network, and fail where they do not fit")
      ->check(CLI::IsMember(gestalt::models::model_names()));
  app.add_option("--classes", settings.model.classes, "of the architecture")->check(at_least_1());
  app.add_option("--image_size", settings.model.image_size, "of the architecture, pixels")
      ->check(at_least_1());
  app.add_option("--stem_stride", settings.model.stem_stride, "of the architecture")
      ->check(CLI::IsMember({1, 2}));
  app.add_flag("--quiet", settings.quiet, "do not list the tensors");
  app.callback([&] {
    if (!settings.list && settings.out.empty()) throw CLI::RequiredError("OUT (or --list)");
  });
  return tool.run(argc, argv, [&] { return convert(settings); });
}
