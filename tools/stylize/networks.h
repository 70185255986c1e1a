#pragma once

// The networks of stylize_images and train_stylizer.

#include <memory>
#include <string>

#include "nn/sequential.h"

namespace gestalt::tools {

struct AdainEncoder {
  std::shared_ptr<nn::Sequential> network;
  std::string description;  // for the log
};

// `weights`: vgg_normalised, whole or its first 31 children, in any readable form; empty: the
// untrained, well-scaled encoder, always the same one. Evaluation mode, without gradients, on the
// default device. Throws Error with the path.
AdainEncoder load_adain_encoder(const std::string& weights);

std::shared_ptr<nn::Sequential> load_adain_decoder(const std::string& weights);

}  // namespace gestalt::tools
