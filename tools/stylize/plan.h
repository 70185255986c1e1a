#pragma once

// What stylize_images is to make: each picture with what it is made of and where it goes, before
// anything is made or written.

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "tools/stylize/job.h"
#include "tools/stylize/manifest.h"

namespace gestalt::tools {

struct PlannedPicture {
  int64_t content = 0;          // index
  std::vector<int64_t> styles;  // indices; several: mixed by `weights`
  std::vector<double> weights;  // one a style
  std::string output;           // relative to the output folder
  ManifestEntry entry;
};

// In the contents' order; for --styles each, in the styles' order within a content. `seed` draws
// the styles of --styles random, by the contents' names. Reads the networks' files and a part of
// the pictures', of which the entries hold hashes. Throws Error where two would have one name.
std::vector<PlannedPicture> plan_pictures(const StylizeSettings& settings, uint64_t seed,
                                          const data::ImageSource& contents,
                                          const data::ImageSource& styles);

}  // namespace gestalt::tools
