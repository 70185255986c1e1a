#include "tools/training/options.h"

#include <nlohmann/json.hpp>
#include <set>

#include "kernels/error.h"
#include "models/registry.h"
#include "models/sparse_levels.h"
#include "nn/weight_format.h"
#include "tools/common/config.h"
#include "tools/common/ranges.h"
#include "tools/common/run_folder.h"

namespace gestalt::tools {
namespace {

void add_data_flags(CLI::App& app, TrainSettings& s) {
  const char* data = "Data";
  app.add_option("--data_folder_path", s.data_folder,
                 "folder that holds train/CLASS/* and val/CLASS/*")
      ->required()
      ->group(data);
  app.add_option("--val_fraction", s.val_fraction,
                 "above 0: the folder holds the classes itself, and this fraction of each, drawn "
                 "at random, is val")
      ->check(in_range(0, 1, Ends::lower))
      ->group(data);
  app.add_option("--split_seed", s.split_seed, "seed of the draw by --val_fraction")->group(data);
  app.add_option("--use_sin_val_folder", s.sin_folder,
                 "stylized images, an evaluation set named 'sin'")
      ->type_name("PATH")
      ->group(data);
  app.add_option("--eval_folder", s.eval_folders, "another evaluation set; repeatable")
      ->type_name("NAME=PATH")
      ->default_str("")
      ->allow_extra_args(false)
      ->group(data);
  app.add_option("--image_size", s.image_size, "height and width, pixels")
      ->check(in_range(16, 4096))
      ->group(data);
  app.add_option("--batch_size", s.batch_size, "images per step")->check(at_least(1))->group(data);
  app.add_option("--workers", s.workers, "threads that read images; 0: one per core")
      ->check(thread_count())
      ->group(data);
  app.add_flag("--fast_jpeg", s.fast_jpeg,
               "decode training JPEGs at 1/2, 1/4 or 1/8 where the crop allows it: not quite the "
               "same pixels")
      ->group(data);
}

void add_network_flags(CLI::App& app, TrainSettings& s) {
  const char* network = "Network";
  app.add_option("--model", s.model, "architecture")
      ->check(CLI::IsMember(models::classifier_names()))
      ->group(network);
  app.add_option("--stem_stride", s.stem_stride, "stride of resnet18-cifar's first convolution")
      ->check(CLI::IsMember({1, 2}))
      ->group(network);
  app.add_option("--topk", s.topk,
                 "where Top-K is applied, LEVELS_PERCENT: 2_20 keeps 20 % after layer2; or 2-3_10, "
                 "2-3_10-5, none")
      ->group(network);
  add_choice(app, "--topk_mode", s.topk_mode, trained_topk_names,
             "what becomes of the kept activations")
      ->group(network);
  app.add_option("--pretrained", s.pretrained, "weights to start from; layers that fit are taken")
      ->type_name("FILE")
      ->group(network);
}

void add_optimization_flags(CLI::App& app, TrainSettings& s) {
  const char* training = "Training";
  app.add_option("--total_epochs", s.total_epochs, "epochs; also the period of the cosine schedule")
      ->check(at_least(1))
      ->group(training);
  add_choice(app, "--optimizer", s.optimizer, optimizer_names, "optimizer")->group(training);
  app.add_option("--lr", s.learning_rate, "learning rate of the first epoch")
      ->check(positive())
      ->group(training);
  app.add_option("--momentum", s.momentum, "momentum of sgd")
      ->check(in_range(0, 1, Ends::lower))
      ->group(training);
  app.add_option("--weight_decay", s.weight_decay, "weight decay of every parameter")
      ->check(not_negative())
      ->group(training);
  app.add_option("--label_smoothing", s.label_smoothing,
                 "part of the target that goes to all classes alike")
      ->check(in_range(0, 1))
      ->group(training);
  add_choice(app, "--dtype", s.dtype, training_dtype_names,
             "bf16: convolutions and linear layers in bf16; weights, norms and losses stay f32")
      ->group(training);
  add_choice(app, "--channels_last", s.channels_last, choice_names,
             "a pixel's channels lie side by side, in images and weights; auto: on GPUs of "
             "compute capability 8.0 and up")
      ->group(training);
  add_choice(app, "--capture", s.capture, choice_names,
             "record the step once and replay it; auto: on CUDA, for networks without dropout")
      ->group(training);
}

}  // namespace

void add_training_flags(Tool& tool, TrainSettings& s) {
  CLI::App& app = tool.app();
  add_data_flags(app, s);
  add_network_flags(app, s);
  add_optimization_flags(app, s);
  add_run_flags(app, s.name, s.output, s.resume);
  app.add_option("--save_every_steps", s.save_every_steps,
                 "steps between checkpoints within an epoch; 0: only after each epoch")
      ->check(at_least(0))
      ->group(run_group);
  app.add_option("--log_every_steps,--log_every", s.log_every_steps,
                 "steps per line of the log within an epoch, with their mean loss")
      ->check(at_least(1))
      ->group(run_group);
  app.add_option("--evaluate", s.evaluate,
                 "no training: accuracies of these weights on val and the other sets")
      ->type_name("FILE")
      ->excludes("--resume")
      ->excludes("--resume_if_any")
      ->group(run_group);
}

void check_settings(const TrainSettings& s) {
  parse_topk(s.topk, s.model);
  evaluation_folders(s);
}

void check_split_rule(const std::string& flag, const nlohmann::json& run,
                      const TrainSettings& settings) {
  if (run.is_null() || run.value("val_fraction", 0.0) == 0 || settings.val_fraction == 0) return;
  GESTALT_CHECK(run.value("split_rule", "") == split_rule,
                "{}: the run held images out by the rule of an older version; by today's it would "
                "be tested on some that it was trained on",
                flag);
}

nlohmann::json to_json(const TrainSettings& s, const CommonOptions& common) {
  nlohmann::json settings = {
      {"data_folder_path", s.data_folder},
      {"val_fraction", s.val_fraction},
      {"split_seed", s.split_seed},
      {"use_sin_val_folder", s.sin_folder},
      {"eval_folder", s.eval_folders},
      {"name", s.name},
      {"model", s.model},
      {"stem_stride", s.stem_stride},
      {"image_size", s.image_size},
      {"pretrained", s.pretrained},
      {"topk", s.topk},
      {"topk_mode", name_of(trained_topk_names, s.topk_mode)},
      {"optimizer", name_of(optimizer_names, s.optimizer)},
      {"lr", s.learning_rate},
      {"momentum", s.momentum},
      {"weight_decay", s.weight_decay},
      {"label_smoothing", s.label_smoothing},
      {"total_epochs", s.total_epochs},
      {"batch_size", s.batch_size},
      {"dtype", to_string(s.dtype)},
      {"channels_last",
       name_of(choice_names, image_format(s) == Format::channels_last ? Choice::on : Choice::off)},
      {"capture", name_of(choice_names, s.capture)},
      {"fast_jpeg", s.fast_jpeg},
      {"workers", s.workers},
      {"save_every_steps", s.save_every_steps},
      {"log_every_steps", s.log_every_steps},
      {"output", s.output}};
  add_common(settings, common);
  return settings;
}

std::vector<TopKLevel> parse_topk(const std::string& text, const std::string& model) {
  const std::vector<std::string>& places = models::find_model(model).topk_places;
  std::vector<TopKLevel> result;
  for (const auto& [level, fraction] : models::parse_sparse_levels(text, "2_20 or 2-3_10")) {
    GESTALT_CHECK(level >= 1 && level <= static_cast<int64_t>(places.size()),
                  "--topk {}: {} has the levels 1 to {}, not {}", text, model, places.size(),
                  level);
    result.push_back({places[level - 1], fraction});
  }
  return result;
}

Format image_format(const TrainSettings& settings) {
  const bool fastest = nn::convolution_format(context(default_device())) == Format::channels_last;
  const bool on = is_on(settings.channels_last, fastest);
  return on ? Format::channels_last : Format::contiguous;
}

std::vector<NamedFolder> evaluation_folders(const TrainSettings& settings) {
  std::vector<NamedFolder> folders;
  if (!settings.sin_folder.empty()) folders.push_back({"sin", settings.sin_folder});
  for (const std::string& text : settings.eval_folders) {
    const size_t equals = text.find('=');
    GESTALT_CHECK(
        equals != std::string::npos && is_name(text.substr(0, equals)),
        "--eval_folder wants NAME=PATH, the name of letters, digits, '_' and '-', got '{}'", text);
    folders.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  std::set<std::string> names = {"val", "train"};
  for (const NamedFolder& folder : folders) {
    GESTALT_CHECK(names.insert(folder.name).second, "two evaluation sets are named '{}'",
                  folder.name);
  }
  return folders;
}

}  // namespace gestalt::tools
