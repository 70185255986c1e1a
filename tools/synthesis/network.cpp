#include "tools/synthesis/network.h"

#include "kernels/error.h"
#include "models/vgg.h"
#include "tensor/io/checkpoint.h"

namespace gestalt::tools {

std::shared_ptr<nn::Sequential> make_network(const SynthesisSettings& settings,
                                             std::string& description) {
  const models::Pooling pooling =
      settings.pooling == "max" ? models::Pooling::max : models::Pooling::average;
  // The network does not change with --seed: pictures of different seeds belong together.
  Generator generator(0);
  std::shared_ptr<nn::Sequential> network = models::make_texture_vgg19(pooling, generator);
  if (settings.weights.empty()) {
    models::init_well_scaled(*network, generator);
    description = "untrained VGG-19 with well-scaled random weights";
  } else {
    try {
      network->load_state_dict(load_weights(settings.weights));
    } catch (const Error& error) {
      throw Error(format("'{}': {}", settings.weights, error.what()));
    }
    description = format("VGG-19 of {}", settings.weights);
  }
  network->to(default_device());
  return network;
}

}  // namespace gestalt::tools
