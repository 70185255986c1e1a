#pragma once

// What sample_fewshot_gan does: pictures of a trained generator.

#include <cstdint>
#include <string>

#include "tools/common/tool.h"

namespace gestalt::tools {

struct SamplingSettings {
  std::string checkpoint, output = "samples";
  int64_t samples = 64, batch_size = 8;
  // Those of the checkpoint where not given (0, empty).
  int64_t image_size = 0, latent_size = 0;
  std::string sparse, sparse_policy;  // empty: the checkpoint's
  bool noise = false;
  std::string weights = "ema";         // ema, last
  std::string statistics = "running";  // running, batch
  std::string format = "png";          // png, packed
  int64_t grid = 64;                   // pictures in grid.png
  int64_t interpolate = 0;             // pictures from one latent to the next; 0: samples alone
  bool overwrite = false;
};

// Returns the exit code.
int sample(const SamplingSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
