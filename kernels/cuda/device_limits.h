#pragma once

// What launchers may ask about the device. tests/simt/shadow has the executor's answers.

#include <cuda_runtime.h>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// Bytes of shared memory that one block may have, opted in to: 64 KiB (sm_75) to 227 KiB (sm_90).
inline size_t max_shared_bytes(const Context& context) {
  int bytes = 0;
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                               context.device().index),
        "device limits");
  return static_cast<size_t>(bytes);
}

}  // namespace GESTALT_CUDA_NAMESPACE
