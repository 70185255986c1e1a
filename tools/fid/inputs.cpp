#include "tools/fid/inputs.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "data/folder.h"
#include "data/packed.h"
#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tools/common/config.h"
#include "tools/common/file_hash.h"
#include "tools/common/image_hash.h"
#include "tools/fid/extraction.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// A safetensors file may hold either.
bool holds_packed_images(const fs::path& path) {
  if (!data::is_packed(path)) return false;
  const Metadata metadata = read_checkpoint(path.string()).metadata;
  const auto format = metadata.find("format");
  return format != metadata.end() && format->second.starts_with("gestalt packed images");
}

// The pictures alone of what sample_fewshot_gan made: its contact sheet is none of them.
fs::path samples_of(const fs::path& path) {
  if (settings_of_config(path, "sample_fewshot_gan").is_null()) return path;
  for (const char* name : {"images", "samples.safetensors"}) {
    if (fs::exists(path / name) && !fs::is_empty(path / name)) return path / name;
  }
  return path;
}

void check_count(const fs::path& path, int64_t count) {
  GESTALT_CHECK(count >= 2, "'{}' holds {} image{}: FID and KID need at least two", path.string(),
                count, count == 1 ? "" : "s");
}

void check_count(const fs::path& path, const Features& features) {
  if (!features.statistics) check_count(path, features.images());
}

}  // namespace

MeasureInput open_input(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  GESTALT_CHECK(status.type() != fs::file_type::not_found,
                "cannot read '{}': no such file or folder", path);
  GESTALT_CHECK(!error, "cannot read '{}': {}", path, error.message());
  MeasureInput input;
  input.path = fs::is_directory(status) ? samples_of(path) : fs::path(path);
  const std::string name = input.path.string();
  if (fs::is_directory(input.path)) {
    input.images = data::open_image_tree(name);
  } else if (holds_packed_images(input.path)) {
    input.images = data::open_packed(name);
  } else if (data::has_image_extension(input.path)) {
    check_count(input.path, 1);
  } else {
    input.features = read_features(name);
    input.features.content_hash = sha256_of_file(name);
  }
  if (input.images) {
    check_count(input.path, input.images->size());
  } else {
    check_count(input.path, input.features);
  }
  return input;
}

std::optional<std::vector<Features>> features_of(const MeasureInput& input,
                                                 eval::InceptionFeatures& extractor,
                                                 const FeatureCache& cache,
                                                 const FeaturesOptions& options) {
  const std::string hash = hash_images(*input.images, input.path);
  std::vector<std::optional<Features>> found;
  std::vector<eval::PixelRange> missing;
  for (const eval::PixelRange range : options.ranges) {
    found.push_back(cache.find(hash, origin_of(extractor.network(), range, options.resize),
                               extractor.network().width));
    if (!found.back()) missing.push_back(range);
  }
  if (!missing.empty()) {
    std::optional<Extraction> made =
        extract(*input.images, extractor, missing,
                {options.resize, options.batch_size, input.path.string(), options.quiet});
    if (!made) return {};
    for (const std::string& reason : made->unreadable) {
      std::fprintf(stderr, "left out: %s\n", reason.c_str());
    }
    size_t next = 0;
    for (std::optional<Features>& each : found) {
      if (each) continue;
      each = std::move(made->features[next++]);
      cache.keep(hash, *each);
    }
  }
  std::vector<Features> features;
  for (std::optional<Features>& each : found) {
    each->content_hash = cache.content_hash(hash, *each->origin, each->values.size(1));
    features.push_back(std::move(*each));
  }
  return features;
}

void check_comparable(const MeasureInput& input_a, const Features& a, const MeasureInput& input_b,
                      const Features& b) {
  const std::string path_a = input_a.path.string(), path_b = input_b.path.string();
  GESTALT_CHECK(a.width() == b.width(),
                "'{}' has {} features an image, '{}' has {}: they are of different layers or "
                "networks",
                path_a, a.width(), path_b, b.width());
  check_count(input_a.path, a);
  check_count(input_b.path, b);
  if (!a.origin || !b.origin) return;
  const auto same = [&](const char* what, const std::string& of_a, const std::string& of_b) {
    GESTALT_CHECK(of_a == of_b,
                  "the features of '{}' and '{}' were made with another {}: {} and {}", path_a,
                  path_b, what, of_a, of_b);
  };
  same("range", a.origin->range, b.origin->range);
  same("resize", a.origin->resize, b.origin->resize);
  if (a.origin->network_hash != b.origin->network_hash) {
    same("network", a.origin->network + " " + a.origin->network_hash,
         b.origin->network + " " + b.origin->network_hash);
  }
}

}  // namespace gestalt::tools
