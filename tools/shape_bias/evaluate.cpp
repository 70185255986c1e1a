#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/category_choice.h"
#include "eval/summary.h"
#include "kernels/error.h"
#include "models/registry.h"
#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/io/known_files.h"
#include "tools/common/config.h"
#include "tools/common/folder_lock.h"
#include "tools/common/json_file.h"
#include "tools/common/list_flag.h"
#include "tools/common/output.h"
#include "tools/common/ranges.h"
#include "tools/shape_bias/commands.h"
#include "tools/shape_bias/evaluation.h"
#include "tools/shape_bias/input.h"
#include "tools/shape_bias/network.h"
#include "tools/shape_bias/observer_names.h"
#include "tools/shape_bias/output_files.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Settings {
  NetworkSettings network;
  std::string data, out, name, categories;
  std::vector<double> fractions = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1};
  nn::TopKMethod method = nn::TopKMethod::keep;
  std::vector<std::string> layers;
  bool per_layer = false, overwrite = false, exact = false;
  int64_t batch_size = 16;
};

// For Option::check.
std::string check_observer_name(const std::string& name) {
  const bool fits =
      std::none_of(name.begin(), name.end(), [](unsigned char c) { return c == '/' || c < ' '; });
  if (fits) return {};
  return format("must be fit for a part of file names, got '{}'", name);
}

void check(Settings& settings) {
  std::sort(settings.fractions.begin(), settings.fractions.end());
  settings.fractions.erase(std::unique(settings.fractions.begin(), settings.fractions.end()),
                           settings.fractions.end());
  const NetworkSettings& network = settings.network;
  GESTALT_CHECK(!network.weights.empty() || network.untrained,
                "no weights: --weights FILE takes a state dict with torchvision's names, such as "
                "torch.save(torchvision.models.{}(weights=\"DEFAULT\").state_dict(), FILE) writes; "
                "--untrained takes random weights",
                network.model);
  GESTALT_CHECK(network.weights.empty() || !network.untrained,
                "--weights and --untrained exclude each other");
}

std::vector<std::string> places_of(const Settings& settings) {
  const std::vector<std::string> places =
      settings.layers.empty() ? models::find_model(settings.network.model).topk_places
                              : settings.layers;
  GESTALT_CHECK(!places.empty(), "{} has no usual places for Top-K: name some with --layers",
                settings.network.model);
  return places;
}

std::vector<Pass> passes_of(const Settings& settings, const std::vector<std::string>& places) {
  ObserverNaming naming{settings.name, settings.layers, settings.method};
  std::vector<std::vector<std::string>> groups = {places};
  if (settings.per_layer) {
    groups.clear();
    for (const std::string& place : places) groups.push_back({place});
  }
  std::vector<Pass> passes;
  std::set<std::string> subjects;
  for (const std::vector<std::string>& group : groups) {
    if (settings.per_layer) naming.layers = group;
    Pass& pass = passes.emplace_back();
    pass.places = group;
    for (const double fraction : settings.fractions) {
      const std::string subject = subject_name(naming, fraction);
      if (subjects.insert(subject).second) pass.sparsities.push_back({subject, fraction});
    }
  }
  return passes;
}

// What fails for every image fails here, before anything is written.
void try_out(eval::TopKSweep& network, const std::vector<Pass>& passes, const Settings& settings,
             const eval::Categories& categories) {
  const NoGradGuard no_grad;
  const int64_t size = *settings.network.image_size;
  const Tensor image = Tensor::zeros({1, 3, size, size})
                           .contiguous(nn::convolution_format(context(default_device())));
  for (const Pass& pass : passes) {
    int64_t classes = 0;
    try {
      network.activate(pass.places);
      classes = network(image).front().size(1);
    } catch (const Error& error) {
      throw Error(
          format("{} on images of {}x{}: {}", settings.network.model, size, size, error.what()));
    }
    eval::check_classes(categories, classes);
  }
}

json describe_weights(const NetworkSettings& settings) {
  if (settings.untrained) return format("untrained: random weights of seed {}", settings.seed);
  const Bytes bytes = map_file(settings.weights);
  const std::string sha = sha256(bytes);
  json weights = {{"file", settings.weights}, {"sha256", sha}};
  if (const auto known = known_file(bytes, sha)) weights["known_as"] = *known;
  return weights;
}

json classes_by_category(const eval::Categories& categories) {
  json classes = json::object();
  for (const eval::Category& category : categories.all()) classes[category.name] = category.classes;
  return classes;
}

// What a folder's files have in common; another run may add sparsities to it.
json identity(const Settings& settings, const std::vector<std::string>& places,
              const Stimuli& stimuli, const eval::Categories& categories) {
  return {{"model", settings.network.model},
          {"weights", describe_weights(settings.network)},
          {"stem_stride", *settings.network.stem_stride},
          {"image_size", *settings.network.image_size},
          {"stimuli", stimuli.image_names},
          {"layers", places},
          {"topk_mode", name_of(topk_method_names, settings.method)},
          {"per_layer", settings.per_layer},
          {"categories", classes_by_category(categories)},
          {"exact", settings.exact}};
}

// Of a folder that an earlier version made: what was not told then, or in another way.
json told_as_now(json settings) {
  const models::ModelOptions options;
  settings.emplace("stem_stride", options.stem_stride);
  settings.emplace("image_size", options.image_size);
  settings.emplace("topk_mode",
                   settings.value("reverse_topk", json()) == true ? "reverse" : "keep");
  if (const json before = settings.value("categories", json()); before.is_string()) {
    const auto path = before.get<std::string>();  // empty: the sixteen
    if (path.empty() || fs::exists(path)) {
      settings["categories"] = classes_by_category(load_categories(path));
    }
  }
  return settings;
}

// In one line, which the names of a thousand stimuli are not.
std::string difference(const std::string& key, const json& found, const json& wanted) {
  constexpr size_t longest = 300;
  const std::string before = found.dump(), now = wanted.dump();
  if (before.size() + now.size() > longest) return "other " + key;
  return format("{} {}, not {}", key, before, now);
}

// Weights are the same under another name, where there is a hash to tell.
json without_file(json value) {
  if (value.is_object() && !value.value("sha256", "").empty()) value.erase("file");
  return value;
}

// Files of another network or other stimuli would be taken for finished ones of this one.
void check_folder(const Settings& settings, const json& wanted) {
  const fs::path path = fs::path(settings.out) / "config.json";
  const json config = read_json(path);
  if (config.is_null()) return;
  const json before = told_as_now(config["settings"]);
  for (const auto& [key, value] : wanted.items()) {
    const json found = before.value(key, json());
    GESTALT_CHECK(without_file(found) == without_file(value),
                  "'{}' was made with {}: choose another --output folder or --overwrite",
                  path.string(), difference(key, found, value));
  }
}

std::vector<std::string> subjects_of(const std::vector<Pass>& passes) {
  std::vector<std::string> subjects;
  for (const Pass& pass : passes) {
    for (const Sparsity& sparsity : pass.sparsities) subjects.push_back(sparsity.subject);
  }
  return subjects;
}

// Takes what is there for this run's, or removes it, and writes config.json. Others may begin in
// the folder at the same moment: of different networks one is refused.
void begin(const Settings& settings, const OutputFiles& files, const eval::Categories& categories,
           json config) {
  const fs::path path = fs::path(settings.out) / "config.json";
  const FileLock lock(path, unfinished_folder(settings.out) / "config.json.lock", WhileInUse::wait);
  files.check_observers(categories);
  if (settings.overwrite) {
    check_not_interrupted();
    files.remove();
  } else {
    check_folder(settings, config);
  }
  config["data"] = settings.data;
  config["categories_file"] = settings.categories;
  config["batch_size"] = settings.batch_size;
  config["topk"] = settings.fractions;
  write_config(settings.out, "shape_bias evaluate", config);
}

void print_results(const Evaluation& evaluation, const eval::Categories& categories) {
  const eval::Summary summary = eval::summarize(
      eval::read_observations(evaluation.files(), categories, eval::StimulusSet::common),
      categories);
  std::fputs(eval::to_table(summary).c_str(), stdout);
  for (const std::string& line : eval::warnings(summary)) {
    std::fprintf(stderr, "warning: %s\n", line.c_str());
  }
}

int run(Settings settings, const CommonOptions& common) {
  as_usage([&] { check(settings); });
  settings.network.seed = common.seed;
  fill_in(settings.network);
  if (settings.name.empty()) {
    settings.name =
        base_name(settings.network.model) + (settings.network.untrained ? "_untrained" : "");
  }
  const eval::Categories categories = load_categories(settings.categories);
  check_outside(settings.out, settings.data);
  const auto image_size = static_cast<int>(*settings.network.image_size);
  const Stimuli stimuli = open_stimuli(settings.data, categories, image_size);
  const std::vector<std::string> places = places_of(settings);
  const auto plain = make_network(settings.network);
  as_usage([&] {
    for (const std::string& place : places) plain->find(place);
  });
  eval::TopKSweep network(plain, places, settings.method);
  const std::vector<Pass> passes = passes_of(settings, places);
  context(default_device()).set_exact(settings.exact);
  nn::set_weight_format(*plain, nn::convolution_format(context(default_device())));
  try_out(network, passes, settings, categories);

  catch_interrupts();
  prepare_output_folder(settings.out, "shape_bias evaluate");
  const OutputFiles files(settings.out, subjects_of(passes));
  begin(settings, files, categories, identity(settings, places, stimuli, categories));
  Evaluation evaluation({settings.out, image_size, settings.batch_size, common.quiet}, stimuli,
                        categories);
  for (const Pass& pass : passes) {
    if (evaluation.run(network, pass)) continue;
    std::fprintf(stderr, "interrupted; the same command continues\n");
    return exit_interrupted;
  }
  if (!evaluation.unreadable().empty()) {
    std::fprintf(stderr, "skipped %zu unreadable images, the first: %s\n",
                 evaluation.unreadable().size(), evaluation.unreadable().front().c_str());
  }
  print_results(evaluation, categories);
  return exit_done;
}

}  // namespace

Command add_evaluate(Tool& tool) {
  auto settings = std::make_shared<Settings>();
  CLI::App* app = tool.app().add_subcommand(
      "evaluate", "A network's decisions at several sparsities of Top-K, as CSV files.");
  NetworkSettings& network = settings->network;
  app->add_option("--model", network.model, "the network")
      ->check(CLI::IsMember(models::classifier_names()))
      ->required();
  app->add_option("--weights", network.weights,
                  "its weights: .pth, .pt, .safetensors with torchvision's names")
      ->type_name("FILE");
  app->add_flag("--untrained", network.untrained, "random weights; the observer's name says so");
  app->add_option("--image_size", network.image_size,
                  "height and width that the network sees, pixels; without, what "
                  "train_classifier's config.json beside the weights has, or 224")
      ->check(in_range(16, 4096));
  app->add_option("--stem_stride", network.stem_stride,
                  "stride of resnet18-cifar's first convolution; without, likewise, or 1")
      ->check(CLI::IsMember({1, 2}));
  app->add_option(
         "--data", settings->data,
         "the stimuli, folder or packed file: {shape}/{shape}{i}-{texture}{j}.png or other "
         "images")
      ->type_name("PATH")
      ->required();
  add_list(*app, "--topk", settings->fractions,
           "fractions of each channel that Top-K keeps; 1 keeps all", in_range(0, 1, Ends::upper));
  app->add_option("-o,--output,--out", settings->out,
                  "folder of the CSV files; finished ones are kept")
      ->type_name("FOLDER")
      ->required();
  CLI::Option* mode = add_choice(
      *app, "--topk_mode", settings->method, topk_method_names,
      "keep: the rest becomes 0; reverse: the Top-K do, the rest stays; mean_replace: as keep, "
      "each kept value becomes the mean of the kept");
  app->add_flag_callback(
         "--reverse_topk", [settings] { settings->method = nn::TopKMethod::reverse; },
         "the same as --topk_mode reverse")
      ->excludes(mode);
  add_list(*app, "--layers", settings->layers,
           "modules after which Top-K is applied; without, the paper's places");
  app->add_flag("--per_layer", settings->per_layer, "Top-K at one of the layers at a time");
  app->add_option("--categories", settings->categories,
                  "JSON, {\"category\": [class, ...], ...}"
                  "; without, the 16 of Geirhos et al. 2019")
      ->type_name("FILE");
  app->add_option(
         "--name", settings->name,
         "name of the observer; without, AlexNet, VGG, ResNet18 ...; names that differ only in "
         "'_' and '-' share their files")
      ->check(CLI::Validator(check_observer_name, ""));
  app->add_option("--batch_size", settings->batch_size,
                  "images at a time; after the first Top-K, so many for each fraction")
      ->check(at_least(1));
  app->add_flag("--exact", settings->exact,
                "f32 convolutions without Winograd (CPU) and TF32 (CUDA): slower");
  app->add_flag("--overwrite", settings->overwrite, "make finished files anew");
  tool.add_common_flags(*app);
  return {app, [settings, &tool] { return run(*settings, tool.common()); }};
}

}  // namespace gestalt::tools
