#pragma once

// Asks for global memory that is read soon to be brought into L2. Nobody waits for it, and nothing
// but time depends on it. PTX ISA, "prefetch".

#include <cstddef>

namespace GESTALT_CUDA_NAMESPACE {

// What one request brings at least: two sectors, which memory delivers at once.
inline constexpr size_t prefetch_bytes = 64;

__device__ inline void prefetch_l2(const void* address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(address)));
}

}  // namespace GESTALT_CUDA_NAMESPACE
