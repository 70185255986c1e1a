#pragma once

#include <memory>
#include <string>

#include "nn/sequential.h"
#include "tools/synthesis/options.h"

namespace gestalt::tools {

struct TextureNetwork {
  std::shared_ptr<nn::Sequential> network;
  std::string description;  // one line for the log
};

// The VGG-19 of `settings` on the default device: weights from the file, or well-scaled random
// ones. Throws UsageError for a layer it has not, Error for weights that don't fit or aren't
// finite.
TextureNetwork make_network(const SynthesisSettings& settings);

}  // namespace gestalt::tools
