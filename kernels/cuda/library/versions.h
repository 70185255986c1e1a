#pragma once

// The versions of CUDA's libraries as text.

#include <string>

#include "kernels/cuda/library/check.h"

namespace gestalt::cuda {

// 13000 -> "13.0", as CUDA numbers its versions.
inline std::string cuda_version(int version) {
  return format("{}.{}", version / 1000, version % 1000 / 10);
}

// 91900 -> "9.19.0", as cuDNN 9 numbers its versions.
inline std::string cudnn_version(size_t version) {
  return format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

// Of the libraries that get loaded; throw Error where they can't be.
inline std::string loaded_cudnn_version() {
  return cudnn_version(cudnn().cudnnGetVersion());
}

inline std::string loaded_cublas_version() {
  int major = 0, minor = 0, patch = 0;
  check(cublas().cublasGetProperty(MAJOR_VERSION, &major), "cuBLAS version");
  check(cublas().cublasGetProperty(MINOR_VERSION, &minor), "cuBLAS version");
  check(cublas().cublasGetProperty(PATCH_LEVEL, &patch), "cuBLAS version");
  return format("{}.{}.{}", major, minor, patch);
}

}  // namespace gestalt::cuda
