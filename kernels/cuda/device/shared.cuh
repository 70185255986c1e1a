#pragma once

// Shared memory. All of it is dynamic and carved by SharedMemory, in the same order by every
// thread:
//
//   SharedMemory shared;
//   SharedArray<float> tile = shared.array<float>(1024);
//   SharedArray<int> counts = shared.array<int>(256);
//
// The launcher asks for shared_size<float>(1024) + shared_size<int>(256) bytes.
//
// On a GPU a SharedArray<T> is a T*. Under tests/simt it checks each access: bounds, reads of
// memory that nobody wrote, and races between barriers. So that one source serves both:
//  - static __shared__ variables are not used (they do not compile there);
//  - elements are read into a variable of their type, not of `auto`, and written whole
//    (no array[i].member = ...);
//  - atomics take array + i; a wider view of an array is shared_cast<float4>(array);
//  - lanes of a warp that pass data through shared memory have a __syncwarp() between: shuffles and
//    votes do not order memory.

#include <cstddef>

#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// Bytes that one array takes, its alignment included.
template <class T>
__host__ __device__ constexpr size_t shared_size(size_t count) {
  return (count * sizeof(T) + 15) / 16 * 16;
}

template <class T>
using SharedArray = T*;

class SharedMemory {
 public:
  template <class T>
  __device__ SharedArray<T> array(size_t count) {
    extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];
    T* begin = reinterpret_cast<T*>(dynamic_shared_memory + offset_);
    offset_ += shared_size<T>(count);
    return begin;
  }

 private:
  size_t offset_ = 0;
};

template <class To, class From>
__device__ SharedArray<To> shared_cast(From* array) {
  return reinterpret_cast<To*>(array);
}

// The place in the block's shared memory, in bytes.
template <class T>
__device__ unsigned shared_address(T* array) {
  return static_cast<unsigned>(__cvta_generic_to_shared(array));
}

}  // namespace GESTALT_CUDA_NAMESPACE
