#pragma once

// Features of a set of images as a file, in place of the images.
//
// Written: safetensors with the tensor `features` [N,D] and metadata that tell how they were made.
// Read: that; safetensors and PyTorch files with one floating tensor [N,D] (torch-fidelity's cached
// features); NumPy's .npy, f4 or f8. Errors name the file and the reason.

#include <filesystem>
#include <optional>
#include <string>

#include "eval/generative_metrics.h"

namespace gestalt::tools {

struct Features {
  Tensor values;                              // [N,D], f32 or f64, on the CPU
  std::optional<eval::FeatureOrigin> origin;  // none: from a file that does not tell
  int64_t unreadable = 0;                     // images that were left out
  // Names what was computed of them: the same for the same features, empty where no hash is to be
  // had.
  std::string content_hash = {};
};

// Values that are not finite are an Error.
Features read_features(const std::filesystem::path& path);
void write_features(const std::filesystem::path& path, const Features& features);

}  // namespace gestalt::tools
