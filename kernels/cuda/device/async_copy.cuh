#pragma once

// The instructions of sm_90 that copy between global and shared memory beside the threads; what
// kernels use is in bulk_copy.cuh. Elsewhere they do not exist, and are never reached.
// PTX ISA 8.0, "Data Movement and Conversion Instructions: Asynchronous copy".
//
// Threads and copies reach shared memory by different ways ("proxies"): what a thread wrote is seen
// by a copy only after that thread's async_fence(). Addresses and sizes are multiples of 16 bytes.

#include <cstdint>

#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

__device__ constexpr bool has_async_copies() {
  return true;
}

// A barrier for copies (mbarrier): its phase ends when `arrivals` threads have arrived and all the
// bytes that they announced are there.
__device__ inline void copy_barrier_init(SharedArray<uint64_t> barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
__device__ inline void copy_barrier_arrive(SharedArray<uint64_t> barrier, unsigned bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
// Waits for the end of the phase of this parity: 0 for the first, 1 for the second, 0 again ...
__device__ inline void copy_barrier_wait(SharedArray<uint64_t> barrier, unsigned parity) {
  unsigned done;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (done == 0);
}

// One thread calls it. The bytes count for the barrier's phase.
__device__ inline void async_copy_to_shared(SharedArray<unsigned char> to, const void* from,
                                            unsigned bytes, SharedArray<uint64_t> barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
      "[%3];" ::"r"(shared_address(to)),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

// One thread calls them: copies, closes the group of its copies so far, and waits until the
// sources of all its groups have been read.
__device__ inline void async_copy_to_global(void* to, SharedArray<unsigned char> from,
                                            unsigned bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                   __cvta_generic_to_global(to)),
               "r"(shared_address(from)), "r"(bytes)
               : "memory");
}
__device__ inline void async_copy_commit() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
__device__ inline void async_copy_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

// What this thread did to shared memory is seen by the copies that follow.
__device__ inline void async_fence() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

#else

__device__ constexpr bool has_async_copies() {
  return false;
}
__device__ inline void copy_barrier_init(SharedArray<uint64_t>, unsigned) {}
__device__ inline void copy_barrier_arrive(SharedArray<uint64_t>, unsigned) {}
__device__ inline void copy_barrier_wait(SharedArray<uint64_t>, unsigned) {}
__device__ inline void async_copy_to_shared(SharedArray<unsigned char>, const void*, unsigned,
                                            SharedArray<uint64_t>) {}
__device__ inline void async_copy_to_global(void*, SharedArray<unsigned char>, unsigned) {}
__device__ inline void async_copy_commit() {}
__device__ inline void async_copy_wait_read() {}
__device__ inline void async_fence() {}

#endif

}  // namespace GESTALT_CUDA_NAMESPACE
