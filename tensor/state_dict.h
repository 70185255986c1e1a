#pragma once

// Tensors by name: what modules and optimizers save and load, and what files of weights hold.

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

struct NamedTensor {
  std::string name;  // dotted path, "features.0.weight"
  Tensor tensor;
};

// In the order of the file or of the modules.
using StateDict = std::vector<NamedTensor>;

}  // namespace gestalt
