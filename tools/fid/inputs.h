#pragma once

// What measure_fid is given, and the features of it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/inception_features.h"
#include "tools/fid/feature_cache.h"
#include "tools/fid/feature_file.h"

namespace gestalt::tools {

// One of two: images, or features without images, or their statistics alone.
struct MeasureInput {
  std::filesystem::path path;
  data::ImageSourcePtr images;  // null where the path holds features or statistics
  Features features;
};

// A folder (all images in it and below), a packed file, or a file of features or statistics. Throws
// Error: missing, empty, neither; a single image.
MeasureInput open_input(const std::string& path);

struct FeaturesOptions {
  std::vector<eval::PixelRange> ranges;
  int resize = 0;  // of ExtractionOptions
  int64_t batch_size = 8;
  bool quiet = false;
};

// Features of the images, one for each range, from the cache as far as it has them. Nothing where
// the user interrupted.
std::optional<std::vector<Features>> features_of(const MeasureInput& input,
                                                 eval::InceptionFeatures& extractor,
                                                 const FeatureCache& cache,
                                                 const FeaturesOptions& options);

// Whether two sets may be compared: as wide, at least two images each, made alike as far as both
// tell. Throws Error with what differs.
void check_comparable(const MeasureInput& input_a, const Features& a, const MeasureInput& input_b,
                      const Features& b);

}  // namespace gestalt::tools
