#pragma once

// The settings of train_stylizer; defaults are pytorch-AdaIN's.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/common/tool.h"

namespace gestalt::tools {

struct TrainStylizerSettings {
  std::string content, style;  // a picture, a tree of folders, or a packed file
  std::string encoder,
      decoder;  // weights; empty: the untrained encoder, a decoder drawn by the seed
  std::string output = "runs", name = "stylizer";  // the run's folder is output/name
  int64_t image_size = 512;                        // both sides of a picture before the crop
  int64_t crop_size = 256;
  int64_t batch_size = 8;
  int64_t steps = 160'000;
  double learning_rate = 1e-4, learning_rate_decay = 5e-5;  // rate / (1 + decay * step)
  double content_weight = 1, style_weight = 10, reconstruction_weight = 0;  // 0: left out
  int workers = 0;
  int64_t save_every = 1000, log_every = 100, sample_every = 1000;  // steps
  bool resume = false;
};

void add_train_stylizer_flags(Tool& tool, TrainStylizerSettings& settings);

// What CLI11 can't see. Throws Error.
void check_settings(const TrainStylizerSettings& settings);

// Everything that changes the result; a resumed run must have the same.
nlohmann::json to_json(const TrainStylizerSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
