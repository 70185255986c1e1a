#pragma once

// bench_gpu --convolutions: for each of ResNet-18's convolutions, every engine that cuDNN
// proposes, with a mark at the one that the library takes.

#include <string>

#include "kernels/types.h"

namespace gestalt::bench {

// Prints a table for each case whose name contains `filter`, until `seconds` have passed; cases
// left out are named. Throws Error for a device other than CUDA.
void print_convolutions(Device device, const std::string& filter, double seconds);

}  // namespace gestalt::bench
