#pragma once

// Engines of cuDNN's that a user forbids, as one with a fault in the cuDNN at hand (internal to
// kernels/ and its tests): GESTALT_CUDNN_SKIP=forward:5,backward_data:12 in the environment.

#include <cstdint>

#include "kernels/cuda/library/conv2d_problem.h"

namespace gestalt::cuda {

// Throws Error where the environment's list is none.
bool is_skipped(Conv2dDirection direction, int64_t engine);

}  // namespace gestalt::cuda
