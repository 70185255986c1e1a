#pragma once

// Memory that a benchmark takes, in MB.

#include <fstream>
#include <string>

#include "kernels/runtime.h"
#include "tensor/context.h"

namespace gestalt::bench {

// The most that this process has had resident; 0 where /proc does not say.
inline double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// Taken on the default device, by whomever, what is held in reserve with it: PyTorch's side counts
// so, too, and a pool gives nothing back. 0 on a CPU, where a process has a peak of its own.
inline double device_megabytes() {
  Context& ctx = context(default_device());
  if (default_device().is_cpu()) return 0;
  return static_cast<double>(ctx.runtime().memory(ctx).taken) / (1 << 20);
}

// What the work between has taken: the process' peak on a CPU; on CUDA, what of the device is taken
// now beyond what `device_megabytes()` said before.
inline double megabytes_since(double before) {
  return default_device().is_cpu() ? peak_megabytes() : device_megabytes() - before;
}

}  // namespace gestalt::bench
