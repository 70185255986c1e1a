#include "tools/synthesis/network.h"

#include <algorithm>

#include "models/synthesis.h"
#include "models/vgg.h"
#include "nn/init.h"
#include "tools/common/not_finite.h"
#include "tools/common/weights.h"

namespace gestalt::tools {
namespace {

// Each pooling halves the image.
void check_fits(const nn::Sequential& network, const SynthesisSettings& settings) {
  int64_t least = 1;
  for (const nn::Module::Child& child : network.children()) {
    if (child.name.starts_with("pool")) least *= 2;
    const auto& layers = settings.layers;
    if (settings.image_size >= least ||
        std::find(layers.begin(), layers.end(), child.name) == layers.end()) {
      continue;
    }
    throw UsageError(
        format("--image_size {} is too small for the layer {} of --layers: it takes {}",
               settings.image_size, child.name, least));
  }
}

void check_layers(const nn::Sequential& network, const std::vector<std::string>& layers) {
  try {
    for (const std::string& layer : layers) network.index_of(layer);
  } catch (const Error& error) {
    throw UsageError(format("--layers: {}", error.what()));
  }
}

void load(nn::Sequential& network, const std::string& path) {
  const StateDict weights = read_weights(path);
  try {
    network.load_state_dict(weights);
  } catch (const Error& error) {
    throw Error(format("'{}': {}", path, error.what()));
  }
}

}  // namespace

TextureNetwork make_network(const SynthesisSettings& settings) {
  // The network does not change with --seed: pictures of different seeds belong together.
  Generator generator(0);
  const nn::SkipInitGuard skip_init(!settings.weights.empty());
  std::shared_ptr<nn::Sequential> network = models::make_texture_vgg19(settings.pooling, generator);
  check_layers(*network, settings.layers);
  check_fits(*network, settings);
  std::string description;
  if (settings.weights.empty()) {
    models::init_well_scaled(*network, generator);
    description = "untrained VGG-19 with well-scaled random weights";
  } else {
    load(*network, settings.weights);
    description = format("VGG-19 of {}", settings.weights);
  }
  network = models::layers_for(settings.layers, *network);
  network->to(default_device());
  if (!settings.weights.empty()) check_finite(network->state_dict(), settings.weights);
  return {network, description};
}

}  // namespace gestalt::tools
