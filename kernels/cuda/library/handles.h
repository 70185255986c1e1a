#pragma once

// The library handles of a context, made when first asked for and set to its stream. Asking also
// makes the context's device this thread's current one, which the libraries need.

#include <cublas_v2.h>
#include <cudnn.h>

#include "kernels/context.h"

namespace gestalt::cuda {

cudnnHandle_t cudnn_handle(Context& context);

// Sums of bf16 and f16 products stay in f32 throughout. The handle has a workspace of its own, so
// that a captured product allocates nothing and gives the same bits each time.
cublasHandle_t cublas_handle(Context& context);

}  // namespace gestalt::cuda
