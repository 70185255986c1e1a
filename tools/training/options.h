#pragma once

// The settings of train_classifier; flags and defaults as published where the published code has
// them.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kernels/types.h"
#include "nn/layers.h"
#include "tools/common/choice.h"
#include "tools/common/tool.h"

namespace gestalt::tools {

enum class Optimizer { sgd, adam, adamw };
inline const Names<Optimizer> optimizer_names = {
    {"sgd", Optimizer::sgd}, {"adam", Optimizer::adam}, {"adamw", Optimizer::adamw}};
inline const Names<nn::TopKMethod> trained_topk_names = {
    {"keep", nn::TopKMethod::keep}, {"mean_replace", nn::TopKMethod::mean_replace}};

struct TrainSettings {
  std::string data_folder;  // holds train/ and val/; with val_fraction, the classes themselves
  double val_fraction = 0;  // of each class, chosen by split_seed
  uint64_t split_seed = 0;
  std::string sin_folder;                 // an evaluation set named "sin"
  std::vector<std::string> eval_folders;  // NAME=PATH
  std::string name = "classifier";
  std::string output = "runs";  // the run's folder is output/name

  std::string model = "resnet18-cifar";
  int64_t stem_stride = 1;
  int64_t image_size = 224;
  std::string pretrained;
  std::string topk = "none";
  nn::TopKMethod topk_mode = nn::TopKMethod::keep;

  Optimizer optimizer = Optimizer::sgd;
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double label_smoothing = 0;
  int64_t total_epochs = 200;
  int64_t batch_size = 32;
  DType dtype = DType::f32;  // or bf16
  Choice channels_last = Choice::automatic, capture = Choice::automatic;
  int workers = 0;
  bool fast_jpeg = false;  // of training images
  int64_t save_every_steps = 0;
  int64_t log_every_steps = 100;
  bool resume = false;
  std::string evaluate;  // weights; no training then
};

void add_training_flags(Tool& tool, TrainSettings& settings);

// What CLI11 can't see. Throws Error.
void check_settings(const TrainSettings& settings);

// For config.json: how --val_fraction holds images out (data::split_by_class).
inline constexpr const char* split_rule = "by name";
// Throws Error, naming `flag`, where both hold images out and the run with the settings `run` (of
// its config.json; null for none) did so as older versions do, by the images' places in their list.
void check_split_rule(const std::string& flag, const nlohmann::json& run,
                      const TrainSettings& settings);

// Everything that changes the result; a resumed run must have the same.
nlohmann::json to_json(const TrainSettings& settings, const CommonOptions& common);

// "2_20": after the second of the model's places, 20 %; "2-3_10": after the second and third,
// 10 %; "2-3_10-5": 10 and 5 %; "none". Throws Error.
struct TopKLevel {
  std::string place;  // module name
  double fraction;
};
std::vector<TopKLevel> parse_topk(const std::string& text, const std::string& model);

// Layout of the images on the default device, by --channels_last.
Format image_format(const TrainSettings& settings);

// NAME=PATH, the name of letters, digits, '_' and '-'. Throws Error.
struct NamedFolder {
  std::string name, path;
};
// The sets beside val: "sin" first where its folder is given. Throws Error for a name given twice.
std::vector<NamedFolder> evaluation_folders(const TrainSettings& settings);

}  // namespace gestalt::tools
