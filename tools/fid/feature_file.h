#pragma once

// Features of a set of images as a file, in place of the images.
//
// Written: safetensors with the tensor `features` [N,D] and metadata that tell how they were made.
// Read: that; safetensors and PyTorch files with one floating tensor [N,D] (torch-fidelity's cached
// features); NumPy's .npy, f4 or f8. And, read and written, statistics alone: NumPy's .npz with
// `mu` [D] and `sigma` [D,D], as pytorch-fid and others keep them. Errors name the file and the
// reason.

#include <filesystem>
#include <optional>
#include <string>

#include "eval/frechet.h"
#include "eval/generative_metrics.h"

namespace gestalt::tools {

struct Features {
  Tensor values;  // [N,D], f32 or f64, on the CPU, or undefined:
  std::optional<eval::GaussianFactor> statistics = {};  // of a file that holds these alone
  std::optional<eval::FeatureOrigin> origin;            // none: from a file that does not tell
  int64_t unreadable = 0;                               // images that were left out
  // Names what was computed of them: the same for the same features, empty where no hash is to be
  // had.
  std::string content_hash = {};

  int64_t width() const { return statistics ? statistics->mean.numel() : values.size(1); }
  int64_t images() const { return statistics ? 0 : values.size(0); }  // 0: not told
};

// Values that are not finite are an Error, and a sigma that is no covariance.
Features read_features(const std::filesystem::path& path);
void write_features(const std::filesystem::path& path, const Features& features);
void write_statistics(const std::filesystem::path& path, const eval::GaussianFactor& statistics);

}  // namespace gestalt::tools
