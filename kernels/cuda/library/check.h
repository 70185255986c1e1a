#pragma once

// check and check_or_log of kernels/cuda/check.h for cuDNN's and cuBLAS's statuses.

#include <cublas_v2.h>
#include <cudnn.h>

#include "kernels/cuda/check.h"

namespace gestalt::cuda {

inline void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  char reason[256] = "";
  cudnnGetLastErrorString(reason, sizeof reason);
  throw Error(format("[{}] cuDNN: {} {}", what, cudnnGetErrorString(status), reason));
}

inline void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  throw Error(format("[{}] cuBLAS: {}", what, cublasGetStatusString(status)));
}

inline void check_or_log(cudnnStatus_t status, const char* what) noexcept {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::fprintf(stderr, "[%s] cuDNN: %s\n", what, cudnnGetErrorString(status));
}

inline void check_or_log(cublasStatus_t status, const char* what) noexcept {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  std::fprintf(stderr, "[%s] cuBLAS: %s\n", what, cublasGetStatusString(status));
}

}  // namespace gestalt::cuda
