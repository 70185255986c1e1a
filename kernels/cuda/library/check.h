#pragma once

// check and check_or_log of kernels/cuda/check.h for cuDNN's and cuBLAS's statuses.

#include "kernels/cuda/check.h"
#include "kernels/cuda/library/libraries.h"

namespace gestalt::cuda {

// What cuDNN says of its last failure on this thread; empty where there was none since it was
// asked.
inline std::string last_cudnn_error() {
  char reason[256] = "";
  cudnn().cudnnGetLastErrorString(reason, sizeof reason);
  return reason;
}

inline void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  throw Error(
      format("[{}] cuDNN: {} {}", what, cudnn().cudnnGetErrorString(status), last_cudnn_error()));
}

inline void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  throw Error(format("[{}] cuBLAS: {}", what, cublas().cublasGetStatusString(status)));
}

inline void check_or_log(cudnnStatus_t status, const char* what) noexcept {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::fprintf(stderr, "[%s] cuDNN: %s\n", what, cudnn().cudnnGetErrorString(status));
}

inline void check_or_log(cublasStatus_t status, const char* what) noexcept {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  std::fprintf(stderr, "[%s] cuBLAS: %s\n", what, cublas().cublasGetStatusString(status));
}

}  // namespace gestalt::cuda
