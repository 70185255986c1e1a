#pragma once

// The clock of work on a device: CUDA events on its stream on a GPU, the wall clock on the CPU.

#include <memory>

#include "kernels/types.h"

namespace gestalt::bench {

class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  virtual void start() = 0;
  virtual double stop() = 0;  // waits for the work since start(); its milliseconds
};

// Throws Error for a CUDA device in a build without CUDA.
std::unique_ptr<Stopwatch> stopwatch(Device device);

}  // namespace gestalt::bench
