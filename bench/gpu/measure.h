#pragma once

// The time of work on a device: CUDA events on a GPU, the wall clock on the CPU. Before each repeat
// the caches are overwritten, so that memory is measured and not the L2.

#include <functional>

#include "kernels/types.h"

namespace gestalt::bench {

struct Timing {
  double milliseconds = 0;  // the median
  int repeats = 0;
};

// Runs `work` three times, then until `seconds` have passed: at least 5 times, at most 200.
Timing measure(Device device, const std::function<void()>& work, double seconds);

}  // namespace gestalt::bench
