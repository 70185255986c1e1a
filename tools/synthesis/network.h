#pragma once

#include <memory>
#include <string>

#include "nn/sequential.h"
#include "tools/synthesis/options.h"

namespace gestalt::tools {

// The VGG-19 of `settings` on the default device: weights from the file, or well-scaled random
// ones. `description` gets one line for the log. Throws UsageError for a layer it has not, Error
// for weights that don't fit or aren't finite.
std::shared_ptr<nn::Sequential> make_network(const SynthesisSettings& settings,
                                             std::string& description);

}  // namespace gestalt::tools
