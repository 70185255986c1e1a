#include "tools/stylize/networks.h"

#include "kernels/error.h"
#include "models/adain.h"
#include "nn/init.h"
#include "tools/common/not_finite.h"
#include "tools/common/weights.h"

namespace gestalt::tools {
namespace {

void load(nn::Sequential& network, const StateDict& state, const std::string& path) {
  try {
    network.load_state_dict(state);
  } catch (const Error& error) {
    throw Error(format("'{}': {}", path, error.what()));
  }
}

// weights: their file; empty: none.
void place(nn::Sequential& network, const std::string& weights) {
  network.eval();
  network.set_requires_grad(false);
  network.to(default_device());
  if (!weights.empty()) check_finite(network.state_dict(), weights);
}

}  // namespace

AdainEncoder load_adain_encoder(const std::string& weights) {
  // Not of --seed: a decoder belongs to the encoder that it was trained with.
  Generator generator(0);
  AdainEncoder encoder{models::make_adain_encoder(generator), ""};
  if (weights.empty()) {
    models::init_untrained_encoder(*encoder.network, generator);
    encoder.description = "untrained VGG-19 with well-scaled random weights";
  } else {
    load(*encoder.network, models::adain_encoder_weights(read_weights(weights)), weights);
    encoder.description = format("VGG-19 of {}", weights);
  }
  place(*encoder.network, weights);
  return encoder;
}

std::shared_ptr<nn::Sequential> load_adain_decoder(const std::string& weights) {
  const nn::SkipInitGuard skip_init;
  Generator generator(0);
  auto decoder = models::make_adain_decoder(generator);
  load(*decoder, read_weights(weights), weights);
  place(*decoder, weights);
  return decoder;
}

}  // namespace gestalt::tools
