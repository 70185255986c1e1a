#pragma once

// What the threads of a block compute together. All of them must be there.

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/warp.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// The sum over a block of so many threads, in every one; always added in the same order. `warps`:
// an element a warp, for this sum alone or behind a barrier.
template <int threads>
__device__ inline float block_sum(const SharedArray<float>& warps, float value) {
  value = warp_sum(value);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread % warp_lanes == 0) warps[thread / warp_lanes] = value;
  __syncthreads();
  value = 0;
  for (int warp = 0; warp < threads / warp_lanes; ++warp) value += warps[warp];
  return value;
}

}  // namespace GESTALT_CUDA_NAMESPACE
