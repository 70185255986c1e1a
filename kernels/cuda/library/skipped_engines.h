#pragma once

// Engines of cuDNN's that no convolution may use (internal to kernels/ and its tests).

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/library/conv2d_problem.h"

namespace gestalt::cuda {

// By the user, as one with a fault in the cuDNN at hand:
// GESTALT_CUDNN_SKIP=forward:5,backward_data:12 in the environment. Throws Error where that is no
// such list.
bool is_skipped(Conv2dDirection direction, int64_t engine);

// Known to others, where cuDNN says nothing of it. cudnn_version: 92301 for 9.23.1; architecture:
// 86 for sm_86.
bool is_faulty(Conv2dDirection direction, int64_t engine, size_t cudnn_version, int architecture);

}  // namespace gestalt::cuda
