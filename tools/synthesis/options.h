#pragma once

// The settings that synthesize_texture and visualize_topk share; flags and defaults as published.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kernels/types.h"
#include "models/synthesis.h"
#include "models/vgg.h"
#include "tools/common/choice.h"
#include "tools/common/tool.h"

namespace gestalt::tools {

inline const Names<models::Pooling> pooling_names = {{"avg", models::Pooling::average},
                                                     {"max", models::Pooling::max}};

struct SynthesisSettings {
  std::vector<std::string> inputs;  // images, folders of images, packed files
  std::string output = "output";
  std::string weights;  // empty: the untrained, well-scaled network
  int64_t steps = 100;
  int64_t iterations = 20;
  double learning_rate = 1.0;
  int64_t textures_per_image = 1;
  double topk = 0.05;
  bool reverse_topk = false;
  int64_t image_size = 256;
  std::vector<std::string> layers = {"relu1_1", "pool1", "pool2", "pool3", "pool4"};
  std::vector<double> layer_weights;
  models::Pooling pooling = models::Pooling::average;
  int64_t batch = 1;
  std::string init_image;
  std::string save_tensors;
  int64_t save_every = 0;
  bool sheet = false;
  DType dtype = DType::f32;  // f32, bf16, f64
  bool exact = false;
  Choice capture = Choice::automatic;
  bool resume = false;
  models::SynthesisObjective objective = models::SynthesisObjective::texture;
};

// Adds the flags to the tool's command line. `settings` holds the defaults and must outlive the
// tool.
void add_synthesis_flags(Tool& tool, SynthesisSettings& settings);

// What the parser can't see: values that don't go together. Throws UsageError.
void check_settings(const SynthesisSettings& settings);

// Those that change no result: a resumed run may have others.
inline const std::vector<std::string> free_settings = {"save_tensors", "save_every", "sheet",
                                                       "capture"};

// Of the images and the optimizer: f32, or f64 where the whole run is.
DType image_dtype(const SynthesisSettings& settings);

// Whether an evaluation is recorded once and replayed, on the default device.
bool is_captured(const SynthesisSettings& settings);

// Every setting, for config.json.
nlohmann::json to_json(const SynthesisSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
