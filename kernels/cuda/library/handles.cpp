#include "kernels/cuda/library/handles.h"

#include <utility>

#include "kernels/capture.h"
#include "kernels/cuda/library/check.h"
#include "kernels/runtime.h"

namespace gestalt::cuda {
namespace {

struct CudnnHandle {
  SharedCudnnHandle handle;
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

// Whole or not at all: a later call would take one that is half made.
SharedCudnnHandle shared_cudnn_handle(Context& context) {
  CudnnHandle& state = context.state<CudnnHandle>();
  check(cudaSetDevice(context.device().index), "cudnn_handle");
  if (state.handle == nullptr) {
    check_not_capturing(context, "the first use of cuDNN");
    cudnnHandle_t made = nullptr;
    check(cudnn().cudnnCreate(&made), "cudnnCreate");
    SharedCudnnHandle handle(made, [device = context.device().index](cudnnHandle_t handle) {
      check_or_log(cudaSetDevice(device), "cudnnDestroy");
      check_or_log(cudnn().cudnnDestroy(handle), "cudnnDestroy");
    });
    check(cudnn().cudnnSetStream(made, static_cast<cudaStream_t>(context.stream())),
          "cudnnSetStream");
    state.handle = std::move(handle);
  }
  return state.handle;
}

cudnnHandle_t cudnn_handle(Context& context) {
  return shared_cudnn_handle(context).get();
}

cublasHandle_t cublas_handle(Context& context) {
  CublasHandle& state = context.state<CublasHandle>();
  check(cudaSetDevice(context.device().index), "cublas_handle");
  if (state.handle == nullptr) {
    CublasHandle made;
    made.context = &context;
    made.workspace = context.runtime().allocate(context, cublas_workspace_bytes);
    GESTALT_CHECK(made.workspace != nullptr, "out of memory: cuBLAS's workspace of {} bytes",
                  cublas_workspace_bytes);
    check(cublas().cublasCreate(&made.handle), "cublasCreate");
    check(cublas().cublasSetStream(made.handle, static_cast<cudaStream_t>(context.stream())),
          "cublasSetStream");
    check(cublas().cublasSetWorkspace(made.handle, made.workspace, cublas_workspace_bytes),
          "cublasSetWorkspace");
    check(cublas().cublasSetMathMode(
              made.handle,
              static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                        CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
          "cublasSetMathMode");
    std::swap(state.handle, made.handle);
    std::swap(state.context, made.context);
    std::swap(state.workspace, made.workspace);
  }
  return state.handle;
}

}  // namespace gestalt::cuda
