// convert_weights IN OUT.safetensors: weights of any readable form, listed, renamed, converted.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

#include "kernels/error.h"
#include "models/registry.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/known_files.h"
#include "tensor/ops/shape.h"
#include "tools/common/output.h"
#include "tools/common/ranges.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

struct Settings {
  std::string in, out, architecture;
  bool list = false, quiet = false;
  std::string select;
  std::vector<std::string> strips, renames;
  std::string dtype;
  models::ModelOptions model;
};

// Without any --strip, DataParallel's `module.` goes where it is.
void strip(StateDict& state, const std::vector<std::string>& prefixes) {
  if (prefixes.empty()) strip_prefix(state);
  for (const std::string& prefix : prefixes) {
    GESTALT_CHECK(strip_prefix(state, prefix) > 0, "--strip {}: no name begins so", prefix);
  }
}

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
  }
  GESTALT_CHECK(count > 0, "--rename {}: no tensor is named so", rule);
}

// "epoch, scaler.scale", or "" where everything is under the prefix.
std::string names_beside(const Checkpoint& checkpoint, const std::string& prefix) {
  constexpr size_t most_named = 8;
  std::string names;
  size_t count = 0;
  for (const NamedTensor& entry : checkpoint.tensors) {
    if (prefix.empty() || entry.name.starts_with(prefix + '.')) continue;
    if (++count <= most_named) names += (count == 1 ? "" : ", ") + entry.name;
  }
  return count > most_named ? names + " ..." : names;
}

struct Taken {
  StateDict state;
  std::string line;  // says to the user what was not his own choice; empty: all was
};

// The chosen or only state dict; all of them under their full names where there are several and
// none is chosen.
Taken take(const Checkpoint& checkpoint, const std::string& select) {
  const std::vector<Checkpoint::Group> candidates = candidate_groups(checkpoint);
  std::string line;
  if (!select.empty() || candidates.size() == 1) {
    if (select.empty()) {
      const std::string beside = names_beside(checkpoint, candidates[0].prefix);
      if (!beside.empty()) {
        line = format("taken: '{}' alone, without {}\n", candidates[0].prefix, beside);
      }
    }
    return {find_state_dict(checkpoint, {.prefix = select, .strip = ""}), line};
  }
  line = "several state dicts, all are taken (--select takes one):";
  for (const Checkpoint::Group& group : candidates) line += " " + group.prefix;
  return {checkpoint.tensors, line + "\n"};
}

// `before`: the same tensors under the names that they came with.
void check_names(const StateDict& state, const StateDict& before) {
  std::map<std::string, std::string> taken;
  for (size_t i = 0; i < state.size(); ++i) {
    const auto& [name, old] = std::tie(state[i].name, before[i].name);
    GESTALT_CHECK(!name.empty(), "'{}' is left without a name", old);
    const auto [other, is_new] = taken.try_emplace(name, old);
    GESTALT_CHECK(is_new, "'{}' and '{}' would both be named '{}'", other->second, old, name);
  }
}

// Values that are finite before and not after; both hold the same number of them.
int64_t count_overflows(const Tensor& before, const Tensor& after) {
  constexpr int64_t block = 1 << 20;
  const Tensor from = reshape(before.contiguous(), {before.numel()});
  const Tensor to = reshape(after.contiguous(), {after.numel()});
  int64_t count = 0;
  for (int64_t begin = 0; begin < from.numel(); begin += block) {
    const int64_t size = std::min(block, from.numel() - begin);
    const auto old = narrow(from, 0, begin, size).to_vector<double>();
    const auto now = narrow(to, 0, begin, size).to_vector<double>();
    for (size_t i = 0; i < old.size(); ++i)
      count += std::isfinite(old[i]) && !std::isfinite(now[i]);
  }
  return count;
}

// An infinity in place of a weight would show far from here, if at all: it is an error.
void convert_dtype(StateDict& state, DType dtype) {
  constexpr size_t most_named = 4;
  std::string named;
  size_t tensors = 0;
  for (NamedTensor& entry : state) {
    const Tensor before = entry.tensor;
    if (!is_floating(before.dtype()) || before.dtype() == dtype) continue;
    entry.tensor = before.to(dtype);
    const bool is_wider =
        dtype == DType::f64 || (dtype == DType::f32 && before.dtype() != DType::f64);
    const int64_t count = is_wider ? 0 : count_overflows(before, entry.tensor);
    if (count == 0 || ++tensors > most_named) continue;
    named += format("{}'{}' ({} of {})", named.empty() ? "" : ", ", entry.name, count,
                    counted(before.numel(), "value"));
  }
  if (tensors > most_named) named += " and " + counted(tensors - most_named, "more tensor");
  GESTALT_CHECK(tensors == 0, "--dtype {}: finite values would become infinite in {}", dtype,
                named);
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
  std::printf("%s, %s, %.3f MB\n", counted(static_cast<int64_t>(state.size()), "tensor").c_str(),
              counted(values, "value").c_str(), static_cast<double>(bytes) / 1e6);
}

// The table of what is missing, unexpected or of another shape; empty where nothing is.
std::string misfit(const StateDict& state, const std::string& architecture,
                   const models::ModelOptions& options) {
  const auto network = models::make_model(architecture, options);
  const StateDictReport report = network->check_state_dict(state);
  if (report.ok()) return {};
  return to_string(report, network->state_dict().size() + state.size());
}

void print_metadata(const Metadata& metadata) {
  constexpr size_t longest = 200;
  for (const auto& [key, value] : metadata) {
    std::printf("metadata %s: %s%s\n", key.c_str(), value.substr(0, longest).c_str(),
                value.size() > longest ? " ..." : "");
  }
}

int convert(const Settings& settings) {
  // What is wrong with the command is said before anything else is.
  if (!settings.list) {
    check_not_input(settings.out, settings.in);
    check_can_write(settings.out);
    remove_leftovers(std::filesystem::path(settings.out).parent_path());
  }
  const Checkpoint checkpoint = read_checkpoint(settings.in);
  const Taken taken = take(checkpoint, settings.select);
  StateDict state = taken.state;
  const StateDict before = state;
  strip(state, settings.strips);
  for (const std::string& rule : settings.renames) rename(state, rule);
  check_names(state, before);
  if (!settings.dtype.empty()) convert_dtype(state, parse_dtype(settings.dtype));
  const bool has_architecture = !settings.architecture.empty();
  const std::string wrong =
      has_architecture ? misfit(state, settings.architecture, settings.model) : std::string();
  // Before anything is printed: a reader that has seen enough (`| head`) ends the process then.
  const bool writes = !settings.list && wrong.empty();
  if (writes) write_safetensors(settings.out, state, checkpoint.metadata);

  std::printf("%s: %s\n", settings.in.c_str(), checkpoint.format.c_str());
  const Bytes bytes = map_file(settings.in);
  if (const auto known = known_file(bytes, sha256(bytes))) {
    std::printf("known by its hash: %s\n", known->c_str());
  }
  for (const std::string& line : checkpoint.passed_over) {
    std::printf("passed over: %s\n", line.c_str());
  }
  std::fputs(taken.line.c_str(), stdout);
  if (settings.list) print_metadata(checkpoint.metadata);
  if (settings.list || !settings.quiet) print_list(state);
  GESTALT_CHECK(wrong.empty(), "the weights do not fit {}:{}", settings.architecture, wrong);
  if (has_architecture) std::printf("fits %s\n", settings.architecture.c_str());
  if (writes) std::printf("wrote %s\n", settings.out.c_str());
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
         "--select", settings.select,
         "the state dict to take: net, state_dict, g ...; found by itself if it is the only "
         "one")
      ->type_name("PREFIX");
  app.add_option("--strip", settings.strips,
                 "prefix to take off names; repeatable, in order; without, 'module.'")
      ->type_name("PREFIX")
      ->default_str("")
      ->allow_extra_args(false);
  app.add_option("--rename", settings.renames,
                 "new name of a tensor, or of all with a prefix that ends in a dot; repeatable")
      ->type_name("FROM=TO")
      ->default_str("")
      ->allow_extra_args(false);
  app.add_option("--dtype", settings.dtype, "element type to convert floating-point tensors to")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "f64"}));
  app.add_option("--architecture", settings.architecture,
                 "check names and shapes against this network, and fail where they do not fit")
      ->check(CLI::IsMember(gestalt::models::model_names()));
  app.add_option("--classes", settings.model.classes, "classes of --architecture")
      ->check(at_least(1));
  app.add_option("--image_size", settings.model.image_size, "input size of --architecture, pixels")
      ->check(at_least(1));
  app.add_option("--stem_stride", settings.model.stem_stride,
                 "stride of resnet18-cifar's first convolution")
      ->check(CLI::IsMember({1, 2}));
  app.add_flag("--quiet", settings.quiet, "do not list the tensors");
  app.callback([&] {
    if (!settings.list && settings.out.empty()) throw CLI::RequiredError("OUT (or --list)");
  });
  return tool.run(argc, argv, [&] { return convert(settings); });
}
