#pragma once

// FID and KID of two sets of images, and what they were measured by: figures are comparable only
// where all of that is the same.

#include <string>

#include "eval/inception_features.h"
#include "eval/kernel_distance.h"

namespace gestalt::eval {

struct GenerativeMetrics {
  double fid = 0;
  KernelDistance kid;
};

// features: [n,d] and [m,d], of any floating dtype. Errors: those of frechet_distance and
// kernel_distance.
GenerativeMetrics generative_metrics(const Tensor& features1, const Tensor& features2,
                                     const KernelDistanceOptions& options = {});

// How features were made of images.
struct FeatureOrigin {
  std::string resize;   // "TensorFlow 1 bilinear to 299x299"
  std::string range;    // "[0,255]"
  std::string network;  // its description
  std::string network_hash;
  Weights weights = Weights::unknown;

  bool operator==(const FeatureOrigin&) const = default;
};

FeatureOrigin origin_of(const FeatureNetwork& network, PixelRange range);

// `metric` ("FID", "KID") with what keeps it from being the field's figure of that name: features
// of another width than 2048, a network without training: "FID(untrained)", "FID(768, untrained)".
std::string metric_name(const std::string& metric, int64_t width, Weights weights);

// The conditions of a figure in one line: resize kernel, range, numbers of images, network and its
// hash, and whether its weights are published ones or just given; draws.
struct MetricStamp {
  FeatureOrigin origin;
  int64_t width = 0;
  int64_t images1 = 0, images2 = 0;  // 0: not told
  std::string draws;                 // "as given", "mean of 3 draws", "lowest of 3 draws"
};
std::string to_text(const MetricStamp& stamp);

}  // namespace gestalt::eval
