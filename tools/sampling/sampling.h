#pragma once

// What sample_fewshot_gan does: pictures of a trained generator.

#include <cstdint>
#include <string>

#include "tools/common/choice.h"
#include "tools/common/tool.h"
#include "tools/fewshot/untold.h"

namespace gestalt::tools {

// Whose weights the generator has: their moving average, or those of the last step.
enum class GeneratorWeights { ema, last };
inline const Names<GeneratorWeights> generator_weights_names = {{"ema", GeneratorWeights::ema},
                                                                {"last", GeneratorWeights::last}};
// Of batch norm: those of the training, or of each batch.
enum class NormStatistics { running, batch };
inline const Names<NormStatistics> norm_statistics_names = {{"running", NormStatistics::running},
                                                            {"batch", NormStatistics::batch}};
enum class PictureFiles { png, packed };
inline const Names<PictureFiles> picture_files_names = {{"png", PictureFiles::png},
                                                        {"packed", PictureFiles::packed}};

struct SamplingSettings {
  std::string checkpoint, output = "samples";
  int64_t samples = 64, batch_size = 8;
  // Those of the checkpoint where not given (0, empty).
  int64_t image_size = 0, latent_size = 0;
  std::string sparse, sparse_policy;  // empty: the checkpoint's
  GivenExcitation excitation;         // none: the checkpoint's
  bool noise = false;
  GeneratorWeights weights = GeneratorWeights::ema;
  NormStatistics statistics = NormStatistics::running;
  PictureFiles format = PictureFiles::png;
  int64_t grid = 64;        // pictures in grid.png
  int64_t interpolate = 0;  // pictures from one latent to the next; 0: samples alone
  bool overwrite = false;
};

// Returns the exit code.
int sample(const SamplingSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
