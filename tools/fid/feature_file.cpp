#include "tools/fid/feature_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/npy.h"

namespace gestalt::tools {
namespace {

constexpr const char* format_name = "gestalt features 1";

constexpr const char* weights_key = "weights";

std::string entry(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  GESTALT_CHECK(found != metadata.end(), "it does not tell its '{}'", key);
  return found->second;
}

// Files from before there was this entry tell whether a file of weights was given.
eval::Weights weights_entry(const Metadata& metadata) {
  using eval::Weights;
  if (!metadata.contains(weights_key)) {
    return entry(metadata, "trained") == "true" ? Weights::given : Weights::untrained;
  }
  const std::string text = entry(metadata, weights_key);
  for (const Weights weights : {Weights::untrained, Weights::given, Weights::trained}) {
    if (text == eval::to_string(weights)) return weights;
  }
  return Weights::unknown;
}

bool is_real(const Tensor& tensor) {
  return tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64;
}

bool is_features(const Tensor& tensor) {
  return tensor.rank() == 2 && is_real(tensor);
}

Features from_npy(const Bytes& bytes) {
  Features features;
  features.values = read_npy(bytes);
  GESTALT_CHECK(is_features(features.values), "expected an array [N,D] of f32 or f64, it is {}",
                features.values);
  return features;
}

Features from_npz(const Bytes& bytes) {
  const StateDict arrays = read_npz(bytes);
  const auto array = [&](const char* name, int rank) {
    const Tensor* found = find_tensor(arrays, name);
    GESTALT_CHECK(found != nullptr,
                  "expected an archive with the statistics 'mu' [D] and 'sigma' [D,D], it has no "
                  "'{}'",
                  name);
    GESTALT_CHECK(found->rank() == rank && is_real(*found),
                  "expected '{}' to be {} of f32 or f64, it is {}", name,
                  rank == 1 ? "[D]" : "[D,D]", *found);
    return *found;
  };
  Features features;
  const Tensor mean = array("mu", 1);
  features.statistics = eval::factor_gaussian(mean, array("sigma", 2));
  return features;
}

Features from_checkpoint(const Checkpoint& checkpoint) {
  GESTALT_CHECK(checkpoint.tensors.size() == 1 && is_features(checkpoint.tensors[0].tensor),
                "expected one tensor [N,D] of f32 or f64, it holds {} tensor{}{}",
                checkpoint.tensors.size(), checkpoint.tensors.size() == 1 ? " " : "s",
                checkpoint.tensors.size() == 1 ? to_string(checkpoint.tensors[0].tensor) : "");
  Features features;
  features.values = checkpoint.tensors[0].tensor.contiguous();
  const Metadata& metadata = checkpoint.metadata;
  const auto format = metadata.find("format");
  if (format != metadata.end() && format->second == format_name) {
    features.origin = {.resize = entry(metadata, "resize"),
                       .range = entry(metadata, "range"),
                       .network = entry(metadata, "network"),
                       .network_hash = entry(metadata, "network_hash"),
                       .weights = weights_entry(metadata)};
    const std::string& count = entry(metadata, "unreadable");
    const auto [end, fault] =
        std::from_chars(count.data(), count.data() + count.size(), features.unreadable);
    GESTALT_CHECK(fault == std::errc{} && end == count.data() + count.size(),
                  "its metadata tell of '{}' unreadable images", count);
  }
  return features;
}

void check_values(const Tensor& values) {
  GESTALT_CHECK(values.size(0) >= 1 && values.size(1) >= 1, "it holds no features: {}", values);
  const std::vector<double> all = values.to_vector<double>();
  const auto bad =
      std::find_if(all.begin(), all.end(), [](double value) { return !std::isfinite(value); });
  if (bad == all.end()) return;
  const int64_t place = bad - all.begin();
  throw Error(format("feature {} of row {} is {}", place % values.size(1), place / values.size(1),
                     std::isnan(*bad) ? "NaN" : "infinite"));
}

}  // namespace

Features read_features(const std::filesystem::path& path) {
  const std::string name = path.string();
  const auto naming_the_file = [&](const auto& read) {
    try {
      return read();
    } catch (const Error& reason) {
      throw Error(format("cannot read '{}': {}", name, reason.what()));
    }
  };
  const Bytes bytes = naming_the_file([&] { return map_file(name); });
  if (naming_the_file([&] { return is_npz(bytes); })) {
    return naming_the_file([&] { return from_npz(bytes); });
  }
  const bool npy = is_npy(bytes);
  const Checkpoint checkpoint = npy ? Checkpoint{} : read_checkpoint(bytes, name);
  return naming_the_file([&] {
    const Features features = npy ? from_npy(bytes) : from_checkpoint(checkpoint);
    check_values(features.values);
    return features;
  });
}

void write_features(const std::filesystem::path& path, const Features& features) {
  Metadata metadata;
  if (features.origin) {
    metadata = {{"format", format_name},
                {"resize", features.origin->resize},
                {"range", features.origin->range},
                {"network", features.origin->network},
                {"network_hash", features.origin->network_hash},
                {weights_key, eval::to_string(features.origin->weights)},
                {"unreadable", std::to_string(features.unreadable)}};
  }
  const NamedTensor tensor{"features", features.values};
  write_safetensors(path.string(), {&tensor, 1}, metadata);
}

void write_statistics(const std::filesystem::path& path, const eval::GaussianFactor& statistics) {
  const NamedTensor arrays[] = {{"mu", statistics.mean}, {"sigma", covariance_of(statistics)}};
  save_npz(path.string(), arrays);
}

}  // namespace gestalt::tools
