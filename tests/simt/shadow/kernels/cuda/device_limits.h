#pragma once

// kernels/cuda/device_limits.h under the SIMT executor: those of sm_90.

#include <cstddef>

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline size_t max_shared_bytes(const Context&) {
  return 227 * 1024;
}

}  // namespace GESTALT_CUDA_NAMESPACE
