#include "eval/generative_metrics.h"

#include "eval/frechet.h"
#include "kernels/error.h"
#include "models/inception.h"

namespace gestalt::eval {

GenerativeMetrics generative_metrics(const Tensor& features1, const Tensor& features2,
                                     const KernelDistanceOptions& options) {
  return {frechet_distance(features1, features2), kernel_distance(features1, features2, options)};
}

FeatureOrigin origin_of(const FeatureNetwork& network, PixelRange range) {
  return {.resize = format("TensorFlow 1 bilinear to {}x{}", models::inception_size,
                           models::inception_size),
          .range = to_string(range),
          .network = network.description,
          .network_hash = network.hash,
          .weights = network.weights};
}

std::string metric_name(const std::string& metric, int64_t width, Weights weights) {
  std::string qualities;
  if (width != models::inception_taps.back()) qualities = std::to_string(width);
  if (weights == Weights::untrained) qualities += qualities.empty() ? "untrained" : ", untrained";
  return qualities.empty() ? metric : metric + "(" + qualities + ")";
}

std::string to_text(const MetricStamp& stamp) {
  constexpr size_t shown = 12;  // digits of the hash
  const std::string& hash = stamp.origin.network_hash;
  const Weights weights = stamp.origin.weights;
  const auto count = [](int64_t images) {
    return images > 0 ? std::to_string(images) : std::string("not told");
  };
  return format("resize {}; range {}; N {} against {}; network {} ({}{}), {} features; draws {}",
                stamp.origin.resize, stamp.origin.range, count(stamp.images1), count(stamp.images2),
                stamp.origin.network,
                weights == Weights::trained ? "published weights "
                : weights == Weights::given ? "given weights "
                                            : "",
                hash.empty() ? "hash unknown" : hash.substr(0, shown), stamp.width, stamp.draws);
}

}  // namespace gestalt::eval
