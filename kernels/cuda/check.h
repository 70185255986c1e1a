#pragma once

// check(status, what): throws gestalt::Error "[what] CUDA: out of memory" unless status is success.

#include <cuda_runtime.h>

#include "kernels/error.h"

namespace gestalt::cuda {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();  // so that the next call does not report this error again
  throw Error(format("[{}] CUDA: {}", what, cudaGetErrorString(status)));
}

}  // namespace gestalt::cuda
