#pragma once

// The settings of train_fewshot_gan; flags as published where the published code has them, defaults
// as there or in its scripts.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/fastgan.h"
#include "tools/common/choice.h"
#include "tools/common/tool.h"
#include "tools/fewshot/untold.h"

namespace gestalt::tools {

// At values that are not finite.
enum class OnNan { stop, roll_back };
inline const Names<OnNan> on_nan_names = {{"stop", OnNan::stop}, {"rollback", OnNan::roll_back}};

enum class Compatibility { none, paper };  // paper: the published figures alone, and best by them
inline const Names<Compatibility> compatibility_names = {{"none", Compatibility::none},
                                                         {"paper", Compatibility::paper}};

struct FewshotSettings {
  std::string path;  // a folder of images or a packed file
  int64_t image_size = 256;
  int64_t batch_size = 8;

  int64_t latent_size = 256;
  int64_t base_channels = 64;
  bool noise = false;
  bool nonoise = false;  // published; what is the case anyway
  std::string sparse = "none";
  std::string sparse_policy = "TopKMaskHW";
  double sparse_loss_weight = 1e-2;
  GivenExcitation excitation;
  std::string checkpoint;  // of another run, or of the published code
  std::string vgg16;       // empty: untrained
  std::string lpips;       // linear weights; empty: every channel counts the same

  int64_t iterations = 100000;
  double learning_rate = 2e-4;
  DType dtype = DType::f32;  // or bf16
  Choice capture = Choice::automatic;
  OnNan on_nan = OnNan::stop;

  std::string extractor = "inception-v3-compat";
  std::string inception;  // empty: untrained
  int64_t eval_every = 1000;
  int64_t eval_samples = 3000;
  int64_t eval_draws = 3;
  Compatibility compatibility = Compatibility::none;
  int64_t patience = 10;
  double eps_generator = 1e-4, eps_discriminator = 0;

  std::string name = "fewshot";
  std::string output = "runs";  // the run's folder is output/name
  int64_t log_every = 100;
  int64_t save_every_steps = 0;
  bool resume = false;
};

void add_fewshot_flags(Tool& tool, FewshotSettings& settings);

// What CLI11 can't see. Throws Error.
void check_settings(const FewshotSettings& settings);

// Everything that changes the result; a resumed run must have the same.
nlohmann::json to_json(const FewshotSettings& settings, const CommonOptions& common);

// Throws Error where --sparse_hw_info names what is no resolution of the network. The excitation is
// the sigmoid where none is given.
models::FastGanOptions network_options(const FewshotSettings& settings);

}  // namespace gestalt::tools
