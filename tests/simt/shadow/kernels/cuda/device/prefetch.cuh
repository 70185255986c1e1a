#pragma once

// kernels/cuda/device/prefetch.cuh under the SIMT executor, which checks what is asked for.

#include <cstddef>

#include "tests/simt/executor.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr size_t prefetch_bytes = 64;

inline void prefetch_l2(const void* address) {
  simt::prefetch(address);
}

}  // namespace GESTALT_CUDA_NAMESPACE
