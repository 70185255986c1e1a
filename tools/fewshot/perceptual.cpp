#include "tools/fewshot/perceptual.h"

#include <memory>

#include "kernels/error.h"
#include "models/vgg.h"
#include "nn/layers.h"
#include "tools/common/weights.h"

namespace gestalt::tools {
namespace {

std::shared_ptr<nn::Sequential> vgg16_features(const std::string& path) {
  Generator generator(0);  // not of --seed: losses of different runs can be compared
  auto features = models::make_vgg_features(16, models::VggNorm::none, generator);
  if (path.empty()) {
    // Where the random numbers of a whole VGG-16 end: docs/results.md was made with these weights.
    generator.set_state({generator.state().seed, 48});
    models::init_well_scaled(*features, generator);
    return features;
  }
  const StateDict weights = read_weights(path);
  const StateDict of_features = part_of(weights, "features.");
  try {
    features->load_state_dict(of_features.empty() ? weights : of_features);
  } catch (const Error& error) {
    throw Error(format("--vgg16 '{}': {}", path, error.what()));
  }
  return features;
}

// One for each channel of a tap.
StateDict equal_weights() {
  StateDict weights;
  const int64_t channels[] = {64, 128, 256, 512, 512};
  for (int64_t i = 0; i < 5; ++i) {
    weights.push_back({format("lin{}.model.1.weight", i), Tensor::ones({1, channels[i], 1, 1})});
  }
  return weights;
}

}  // namespace

PerceptualLoss make_perceptual_loss(const std::string& vgg16, const std::string& linear) {
  const auto features = vgg16_features(vgg16);
  features->eval();
  features->to(default_device());
  StateDict weights = equal_weights();
  if (!linear.empty()) {
    const StateDict expected = weights;
    weights = read_weights(linear);
    for (NamedTensor& entry : weights) {
      for (const NamedTensor& each : expected) {
        GESTALT_CHECK(each.name != entry.name || each.tensor.shape() == entry.tensor.shape(),
                      "--lpips '{}': '{}' is {}, for VGG-16 it is {}: these are of another network",
                      linear, entry.name, entry.tensor, each.tensor);
      }
      entry.tensor = entry.tensor.to(default_device());
    }
  }
  const std::string description =
      format("{}, {}",
             vgg16.empty() ? std::string("untrained VGG-16 with well-scaled random weights")
                           : format("VGG-16 of {}", vgg16),
             linear.empty() ? std::string("every channel counts the same")
                            : format("linear weights of {}", linear));
  try {
    return {models::Lpips("vgg16", features, weights), description};
  } catch (const Error& error) {
    throw Error(format("--lpips '{}': {}", linear, error.what()));
  }
}

}  // namespace gestalt::tools
