#pragma once

// Declares gestalt::cuda::NAME for every entry of the kernel table. own_kernels.h lists those that
// exist.

#include "kernels/cuda/namespace.h"
#include "kernels/table.h"

namespace GESTALT_CUDA_NAMESPACE {

#define GESTALT_DECLARE_KERNEL(name, ...) Kernel<__VA_ARGS__>::Function name;
GESTALT_KERNELS(GESTALT_DECLARE_KERNEL)
#undef GESTALT_DECLARE_KERNEL

}  // namespace GESTALT_CUDA_NAMESPACE
