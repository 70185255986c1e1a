#pragma once

// The library handles of a context, made when first asked for and set to its stream. Asking also
// makes the context's device this thread's current one, which the libraries need.

#include <cublas_v2.h>
#include <cudnn.h>
#include <memory>
#include <type_traits>

#include "kernels/context.h"

namespace gestalt::cuda {

cudnnHandle_t cudnn_handle(Context& context);

// For what has to be destroyed before it.
using SharedCudnnHandle = std::shared_ptr<std::remove_pointer_t<cudnnHandle_t>>;
SharedCudnnHandle shared_cudnn_handle(Context& context);

// Sums of bf16 and f16 products stay in f32 throughout. The handle has a workspace of its own, so
// that a captured product allocates nothing and gives the same bits each time.
cublasHandle_t cublas_handle(Context& context);

}  // namespace gestalt::cuda
