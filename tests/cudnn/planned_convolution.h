#pragma once

// How cuDNN would do a convolution on a GPU that need not be here: cuDNN 9.8 and later choose
// engines and make plans from a device's properties alone. What they make can't be run.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "kernels/cuda/library/conv2d_problem.h"

namespace gestalt::cuda {

enum class PlannedDevice { t4, a100, h100, h200 };

struct PlannedConvolution {
  int64_t engine = 0;  // cuDNN's number
  std::string notes;   // EngineConfig::notes
  size_t workspace_bytes = 0;
};

// Why nothing can be planned here; empty: it can.
std::string why_nothing_is_planned();

// By the library's own rules, the first that `accepts` takes, as one that runs; nothing where it
// would refuse the convolution.
std::optional<PlannedConvolution> plan_convolution(
    PlannedDevice device, const Conv2dProblem& problem,
    const std::function<bool(const PlannedConvolution&)>& accepts = {});

}  // namespace gestalt::cuda
