#pragma once

// Features of the images of a source.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/image_source.h"
#include "eval/generative_metrics.h"
#include "eval/inception_features.h"
#include "tools/fid/feature_file.h"

namespace gestalt::tools {

// eval::origin_of such features. `resize`: as below.
eval::FeatureOrigin origin_of(const eval::FeatureNetwork& network, eval::PixelRange range,
                              int resize);

struct ExtractionOptions {
  int resize = 0;  // every image becomes a square of that side first, as with Pillow; 0: it stays
  int64_t batch_size = 8;
  std::string what;  // for the progress bar
  bool quiet = false;
};

struct Extraction {
  std::vector<Features> features;       // one for each range
  std::vector<std::string> unreadable;  // why images were left out
};

// Images of any sizes; the next batch is decoded while one is computed. Nothing where the user
// interrupted. Throws Error where no image can be read.
std::optional<Extraction> extract(const data::ImageSource& source,
                                  eval::InceptionFeatures& extractor,
                                  std::span<const eval::PixelRange> ranges,
                                  const ExtractionOptions& options);

}  // namespace gestalt::tools
