#pragma once

// Features and statistics that were made once, by what they were made of: a folder with files named
// by the SHA-256 of the images' bytes in their order, of the network's weights and tap, and of the
// preprocessing; statistics of a file of features by the SHA-256 of that file. Whatever of these
// changes gives another name, so nothing in it is ever stale.

#include <filesystem>
#include <optional>
#include <string>

#include "eval/frechet.h"
#include "tools/fid/feature_file.h"

namespace gestalt::tools {

// $XDG_CACHE_HOME/gestalt/features, or ~/.cache/gestalt/features; empty where neither is set.
std::filesystem::path default_cache_folder();

class FeatureCache {
 public:
  // An empty folder name: nothing is found and nothing kept.
  explicit FeatureCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Nothing for a file that is missing or damaged.
  std::optional<Features> find(const std::string& images_hash, const eval::FeatureOrigin& origin,
                               int64_t width) const;
  // Where the file cannot be written, a warning: what was made is still there to go on with.
  void keep(const std::string& images_hash, const Features& features) const;

  // Features::content_hash of such features; empty where nothing is kept of them.
  std::string content_hash(const std::string& images_hash, const eval::FeatureOrigin& origin,
                           int64_t width) const {
    return path_of(images_hash, origin, width).stem().string();
  }

  // What a Frechet distance needs of the features: found, or made. It is kept where making it is
  // work, because they have more rows than columns, and where they have a hash; the f64 factor of
  // N rows of D f32 features has 2 D / N of their bytes.
  eval::GaussianFactor statistics(const Features& features) const;

 private:
  // Empty where something of it has no hash.
  std::filesystem::path path_of(const std::string& images_hash, const eval::FeatureOrigin& origin,
                                int64_t width) const;

  std::filesystem::path folder_;
};

}  // namespace gestalt::tools
