#pragma once

// Copies of contiguous pieces between global and shared memory by a whole (one-dimensional) block:
//
//   SharedMemory shared;
//   BulkLoad load(shared);                                       // bulk_load_bytes
//   SharedArray<float> room = shared.array<float>(bulk_room<float>(count));
//   SharedArray<float> row = bulk_place(room, x);                // aligned like x
//   load.begin(row, x, count);    ... other work ...    load.wait();
//   bulk_store_begin(y, row, count);                             // ... other work ...
//   bulk_store_wait();
//
// On sm_90 the part between the first and the last multiple of 16 bytes is one bulk copy, which
// runs beside the threads; they copy the ends, and elsewhere everything, 16 bytes at a time. Where
// the two sides are aligned differently the threads copy element by element.
//
// Each function here is called by all threads of the block, and is a barrier among them, so that:
//  - what they did to the array before begin() happens before the copy;
//  - between load.begin() and load.wait() nobody touches the array; after wait() all see it;
//  - between bulk_store_begin() and bulk_store_wait() nobody writes the array, and until the kernel
//    ends nobody touches `y`; a block waits for its stores before it ends.
// For several loads on the way at once, one BulkLoad each.

#include "kernels/cuda/device/async_copy.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr size_t bulk_alignment = 16;

// Elements of shared memory that take `count` elements from any address.
template <class T>
__host__ __device__ constexpr size_t bulk_room(size_t count) {
  return count + bulk_alignment / sizeof(T) - 1;
}

// Where in its room an array lies so that it is aligned like `global`.
template <class T, class U>
__device__ SharedArray<T> bulk_place(SharedArray<T> room, const U* global) {
  static_assert(sizeof(T) == sizeof(U));
  return room + reinterpret_cast<uintptr_t>(global) % bulk_alignment / sizeof(T);
}

// The elements [begin, end) of a piece can be copied 16 bytes at a time.
struct BulkBody {
  int64_t begin, end;
};

template <class T>
__device__ BulkBody bulk_body(SharedArray<T> shared, const T* global, int64_t count) {
  constexpr int64_t step = bulk_alignment / sizeof(T);
  const auto address = reinterpret_cast<uintptr_t>(global);
  if ((address - shared_address(shared)) % bulk_alignment != 0) return {0, 0};
  const int64_t begin = static_cast<int64_t>((0 - address) % bulk_alignment / sizeof(T));
  if (begin >= count) return {0, 0};
  return {begin, begin + (count - begin) / step * step};
}

// Calls copy(i) for the elements outside of the body, shared out among the threads.
template <class Copy>
__device__ void bulk_ends(BulkBody body, int64_t count, const Copy& copy) {
  const int64_t outside = count - (body.end - body.begin);
  for (int64_t i = threadIdx.x; i < outside; i += blockDim.x) {
    copy(i < body.begin ? i : i + body.end - body.begin);
  }
}

inline constexpr size_t bulk_load_bytes = shared_size<uint64_t>(1);

class BulkLoad {
 public:
  __device__ explicit BulkLoad(SharedMemory& shared) : barrier_(shared.array<uint64_t>(1)) {
    if (has_async_copies() && threadIdx.x == 0) copy_barrier_init(barrier_, 1);
  }

  template <class T>
  __device__ void begin(SharedArray<T> to, const T* from, int64_t count) {
    const BulkBody body = bulk_body<T>(to, from, count);
    async_fence();
    __syncthreads();
    if (body.end > body.begin) {
      if (!has_async_copies()) {
        const SharedArray<uint4> wide_to = shared_cast<uint4>(to + body.begin);
        const auto* wide_from = reinterpret_cast<const uint4*>(from + body.begin);
        const int64_t wide = (body.end - body.begin) * sizeof(T) / sizeof(uint4);
        for (int64_t i = threadIdx.x; i < wide; i += blockDim.x) wide_to[i] = wide_from[i];
      } else if (threadIdx.x == 0) {
        const auto bytes = static_cast<unsigned>((body.end - body.begin) * sizeof(T));
        copy_barrier_arrive(barrier_, bytes);
        async_copy_to_shared(shared_cast<unsigned char>(to + body.begin), from + body.begin, bytes,
                             barrier_);
      }
    } else if (has_async_copies() && threadIdx.x == 0) {
      copy_barrier_arrive(barrier_, 0);
    }
    bulk_ends(body, count, [&](int64_t i) { to[i] = from[i]; });
  }

  __device__ void wait() {
    if (has_async_copies()) copy_barrier_wait(barrier_, parity_);
    parity_ ^= 1;
    __syncthreads();
  }

 private:
  SharedArray<uint64_t> barrier_;
  unsigned parity_ = 0;
};

template <class T>
__device__ void bulk_store_begin(T* to, SharedArray<T> from, int64_t count) {
  const BulkBody body = bulk_body<T>(from, to, count);
  async_fence();
  __syncthreads();
  if (body.end > body.begin) {
    if (!has_async_copies()) {
      const SharedArray<uint4> wide_from = shared_cast<uint4>(from + body.begin);
      auto* wide_to = reinterpret_cast<uint4*>(to + body.begin);
      const int64_t wide = (body.end - body.begin) * sizeof(T) / sizeof(uint4);
      for (int64_t i = threadIdx.x; i < wide; i += blockDim.x) wide_to[i] = wide_from[i];
    } else if (threadIdx.x == 0) {
      async_copy_to_global(to + body.begin, shared_cast<unsigned char>(from + body.begin),
                           static_cast<unsigned>((body.end - body.begin) * sizeof(T)));
      async_copy_commit();
    }
  }
  bulk_ends(body, count, [&](int64_t i) { to[i] = from[i]; });
}

__device__ inline void bulk_store_wait() {
  if (has_async_copies() && threadIdx.x == 0) async_copy_wait_read();
  __syncthreads();
}

}  // namespace GESTALT_CUDA_NAMESPACE
