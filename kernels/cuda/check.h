#pragma once

// check(status, what): throws gestalt::Error "[what] CUDA: out of memory" unless status is success.
// check_or_log(status, what): for destructors; prints the same line to stderr instead.
// The same for cuDNN and cuBLAS: library/check.h.
// wait_if_asked(context, what): under GESTALT_SYNC waits for what the context has queued, so that
// an error in it is named `what`. Behind every launch and every call that queues a library's work.

#include <cstdio>
#include <cuda_runtime.h>

#include "kernels/capture.h"
#include "kernels/context.h"
#include "kernels/error.h"

namespace gestalt::cuda {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();  // so that the next call does not report this error again
  throw Error(format("[{}] CUDA: {}", what, cudaGetErrorString(status)));
}

inline void check_or_log(cudaError_t status, const char* what) noexcept {
  // At process exit the driver may be gone before the last destructor: nothing is left to release.
  if (status == cudaSuccess || status == cudaErrorCudartUnloading) return;
  cudaGetLastError();
  std::fprintf(stderr, "[%s] CUDA: %s\n", what, cudaGetErrorString(status));
}

inline void wait_if_asked(const Context& context, const char* what) {
  if (!synchronous_launches()) return;
  check(cudaStreamSynchronize(static_cast<cudaStream_t>(context.stream())), what);
}

}  // namespace gestalt::cuda
