#pragma once

// cuDNN and cuBLAS, loaded when first asked for, so that a program whose work stays on the CPU does
// not pay for their relocations (0.1 s and 200 MB), and starts where they are not installed.
//
// cudnn() and cublas() hold the functions by their own names: cudnn().cudnnCreate(&handle). Both
// throw Error where the library, or a function in it, isn't found. The loader looks in
// LD_LIBRARY_PATH, then where the build found them, then in the system's paths; so it does for
// cuBLASLt and NVRTC, which cuDNN loads.

#include <cublas_v2.h>
#include <cudnn.h>

namespace gestalt::cuda {

#define GESTALT_CUDNN_FUNCTIONS(X) \
  X(cudnnGetVersion)               \
  X(cudnnGetErrorString)           \
  X(cudnnGetLastErrorString)       \
  X(cudnnCreate)                   \
  X(cudnnDestroy)                  \
  X(cudnnSetStream)                \
  X(cudnnBackendCreateDescriptor)  \
  X(cudnnBackendDestroyDescriptor) \
  X(cudnnBackendSetAttribute)      \
  X(cudnnBackendGetAttribute)      \
  X(cudnnBackendFinalize)          \
  X(cudnnBackendExecute)

#define GESTALT_CUBLAS_FUNCTIONS(X) \
  X(cublasGetProperty)              \
  X(cublasGetStatusString)          \
  X(cublasCreate)                   \
  X(cublasDestroy)                  \
  X(cublasSetStream)                \
  X(cublasSetWorkspace)             \
  X(cublasSetMathMode)              \
  X(cublasGemmStridedBatchedEx_64)

#define GESTALT_LIBRARY_FUNCTION(name) decltype(&::name) name = nullptr;
struct Cudnn {
  GESTALT_CUDNN_FUNCTIONS(GESTALT_LIBRARY_FUNCTION)
};
struct Cublas {
  GESTALT_CUBLAS_FUNCTIONS(GESTALT_LIBRARY_FUNCTION)
};
#undef GESTALT_LIBRARY_FUNCTION

const Cudnn& cudnn();
const Cublas& cublas();

}  // namespace gestalt::cuda
