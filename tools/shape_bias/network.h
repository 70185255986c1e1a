#pragma once

// The network that is evaluated.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "nn/module.h"

namespace gestalt::tools {

struct NetworkSettings {
  std::string model, weights;
  bool untrained = false;  // random weights of `seed` in place of a file's
  uint64_t seed = 0;
  std::optional<int64_t> stem_stride, image_size;  // as of models::ModelOptions
};

// What is not given becomes what the weights were trained with, where train_classifier's
// config.json of this model lies beside them; else the default.
void fill_in(NetworkSettings& settings);

// In evaluation mode, on the default device, for as many classes as the weights have. Throws Error,
// naming the file, where they don't fit or are not finite.
std::shared_ptr<nn::Module> make_network(const NetworkSettings& settings);

}  // namespace gestalt::tools
