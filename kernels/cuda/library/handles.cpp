#include "kernels/cuda/library/handles.h"

#include "kernels/cuda/library/check.h"
#include "kernels/runtime.h"

namespace gestalt::cuda {
namespace {

struct CudnnHandle {
  cudnnHandle_t handle = nullptr;

  ~CudnnHandle() {
    if (handle != nullptr) check_or_log(cudnn().cudnnDestroy(handle), "cudnnDestroy");
  }
};

struct CublasHandle {
  cublasHandle_t handle = nullptr;
  Context* context = nullptr;  // outlives its states
  void* workspace = nullptr;

  ~CublasHandle() {
    if (handle != nullptr) check_or_log(cublas().cublasDestroy(handle), "cublasDestroy");
    if (workspace != nullptr) context->runtime().release(*context, workspace);
  }
};

constexpr size_t cublas_workspace_bytes = size_t{32} << 20;  // what cuBLAS asks for on sm_90

}  // namespace

cudnnHandle_t cudnn_handle(Context& context) {
  CudnnHandle& state = context.state<CudnnHandle>();
  check(cudaSetDevice(context.device().index), "cudnn_handle");
  if (state.handle == nullptr) {
    check(cudnn().cudnnCreate(&state.handle), "cudnnCreate");
    check(cudnn().cudnnSetStream(state.handle, static_cast<cudaStream_t>(context.stream())),
          "cudnnSetStream");
  }
  return state.handle;
}

cublasHandle_t cublas_handle(Context& context) {
  CublasHandle& state = context.state<CublasHandle>();
  check(cudaSetDevice(context.device().index), "cublas_handle");
  if (state.handle == nullptr) {
    state.context = &context;
    check(cublas().cublasCreate(&state.handle), "cublasCreate");
    check(cublas().cublasSetStream(state.handle, static_cast<cudaStream_t>(context.stream())),
          "cublasSetStream");
    state.workspace = context.runtime().allocate(context, cublas_workspace_bytes);
    GESTALT_CHECK(state.workspace != nullptr, "out of memory: cuBLAS's workspace of {} bytes",
                  cublas_workspace_bytes);
    check(cublas().cublasSetWorkspace(state.handle, state.workspace, cublas_workspace_bytes),
          "cublasSetWorkspace");
    check(cublas().cublasSetMathMode(
              state.handle,
              static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                        CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
          "cublasSetMathMode");
  }
  return state.handle;
}

}  // namespace gestalt::cuda
