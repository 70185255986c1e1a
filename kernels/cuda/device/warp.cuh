#pragma once

// What the 32 lanes of a warp compute together. All lanes must be there.

#include <cstdint>

#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr unsigned full_warp = 0xffffffffu;
inline constexpr int warp_lanes = 32;

// The sum over the warp, in every lane; always added in the same order.
template <class T>
__device__ inline T warp_sum(T value) {
  for (int step = warp_lanes / 2; step > 0; step /= 2) {
    value += __shfl_xor_sync(full_warp, value, step);
  }
  return value;
}

template <class T>
__device__ inline T warp_max(T value) {
  for (int step = warp_lanes / 2; step > 0; step /= 2) {
    value = ::max(value, __shfl_xor_sync(full_warp, value, step));
  }
  return value;
}

// For uint32_t one instruction where the chip has it.
__device__ inline uint32_t warp_sum(uint32_t value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_add_sync(full_warp, value);
#else
  return warp_sum<uint32_t>(value);
#endif
}

__device__ inline uint32_t warp_max(uint32_t value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_max_sync(full_warp, value);
#else
  return warp_max<uint32_t>(value);
#endif
}

// The sum over this lane and those before it.
template <class T>
__device__ inline T warp_inclusive_sum(T value) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  for (int step = 1; step < warp_lanes; step *= 2) {
    const T before = __shfl_up_sync(full_warp, value, step);
    if (lane >= step) value += before;
  }
  return value;
}

}  // namespace GESTALT_CUDA_NAMESPACE
