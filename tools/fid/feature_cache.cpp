#include "tools/fid/feature_cache.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/error.h"
#include "optim/state.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/safetensors.h"
#include "tools/common/file_hash.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

constexpr size_t name_digits = 32;

// Nothing where the file is missing, damaged, or of other features.
std::optional<eval::GaussianFactor> read_statistics(const fs::path& path, const Shape& features) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  try {
    const StateDict state = read_checkpoint(path.string()).tensors;
    const eval::GaussianFactor found{optim::require("statistics", state, "mean"),
                                     optim::require("statistics", state, "factor"), features[0]};
    const int64_t d = features[1];
    const bool fits = found.mean.shape() == Shape{d} &&
                      found.factor.shape() == Shape{std::min(d, features[0]), d};
    const bool doubles = found.mean.dtype() == DType::f64 && found.factor.dtype() == DType::f64;
    return fits && doubles ? std::optional(found) : std::nullopt;
  } catch (const Error&) {
    return {};
  }
}

// The work that made it is not thrown away with a disk that is full.
template <class Write>
void try_to_keep(const Write& write) {
  try {
    write();
  } catch (const Error& error) {
    std::fprintf(stderr, "not kept for the next time: %s\n", error.what());
  }
}

}  // namespace

fs::path default_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "gestalt/features";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache/gestalt/features";
  return {};
}

fs::path FeatureCache::path_of(const std::string& images_hash, const eval::FeatureOrigin& origin,
                               int64_t width) const {
  if (folder_.empty() || images_hash.empty() || origin.network_hash.empty()) return {};
  // Features 1 of a GPU had been made with TF32.
  const std::string key = format("features 2\n{}\n{}\n{}\n{}\n{}\n", images_hash,
                                 origin.network_hash, width, origin.resize, origin.range);
  return folder_ / (sha256_of_text(key).substr(0, name_digits) + ".safetensors");
}

std::optional<Features> FeatureCache::find(const std::string& images_hash,
                                           const eval::FeatureOrigin& origin, int64_t width) const {
  const fs::path path = path_of(images_hash, origin, width);
  std::error_code ignored;
  if (path.empty() || !fs::exists(path, ignored)) return {};
  try {
    Features features = read_features(path);
    if (!features.origin || features.values.size(1) != width) return {};
    features.origin->network = origin.network;  // the same weights may have come in another file
    return *features.origin == origin ? std::optional(std::move(features)) : std::nullopt;
  } catch (const Error&) {
    return {};
  }
}

void FeatureCache::keep(const std::string& images_hash, const Features& features) const {
  const fs::path path = path_of(images_hash, *features.origin, features.values.size(1));
  if (path.empty()) return;
  try_to_keep([&] { write_features(path, features); });
}

eval::GaussianFactor FeatureCache::statistics(const Features& features) const {
  if (features.statistics) return *features.statistics;
  const bool is_work = features.values.size(0) > features.values.size(1);
  fs::path path;
  if (is_work && !folder_.empty() && !features.content_hash.empty()) {
    const std::string key = format("statistics 1\n{}\n", features.content_hash);
    path = folder_ / (sha256_of_text(key).substr(0, name_digits) + ".safetensors");
    if (auto found = read_statistics(path, features.values.shape())) return *found;
  }
  eval::GaussianFactor made = eval::factor_gaussian(features.values);
  if (!path.empty()) {
    const NamedTensor tensors[] = {{"mean", made.mean}, {"factor", made.factor}};
    try_to_keep([&] {
      write_safetensors(path.string(), tensors, {{"format", "gestalt statistics 1"}});
    });
  }
  return made;
}

}  // namespace gestalt::tools
