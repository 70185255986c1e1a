#pragma once

// kernels/cuda/device/async_copy.cuh under the SIMT executor, for architectures with bulk
// copies and without.

#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline bool has_async_copies() {
  return simt::device_properties().architecture >= 90;
}

inline void copy_barrier_init(const SharedArray<uint64_t>& barrier, unsigned arrivals) {
  simt::copy_barrier_init(barrier.address(), arrivals);
}
inline void copy_barrier_arrive(const SharedArray<uint64_t>& barrier, unsigned bytes) {
  simt::copy_barrier_arrive(barrier.address(), bytes);
}
inline void copy_barrier_wait(const SharedArray<uint64_t>& barrier, unsigned parity,
                              std::source_location where = std::source_location::current()) {
  simt::copy_barrier_wait(barrier.address(), parity, where);
}

inline void check_bulk_bounds(const SharedArray<unsigned char>& array, unsigned bytes) {
  if (bytes > array.bytes()) {
    simt::fail("begins a bulk copy of {} bytes, out of bounds: the array has {}", bytes,
               static_cast<long long>(array.bytes()));
  }
}
inline void async_copy_to_shared(const SharedArray<unsigned char>& to, const void* from,
                                 unsigned bytes, const SharedArray<uint64_t>& barrier) {
  check_bulk_bounds(to, bytes);
  simt::copy_to_shared(to.address(), from, bytes, barrier.address());
}
inline void async_copy_to_global(void* to, const SharedArray<unsigned char>& from, unsigned bytes) {
  check_bulk_bounds(from, bytes);
  simt::copy_to_global(to, from.address(), bytes);
}
inline void async_copy_commit() {
  simt::copy_commit();
}
inline void async_copy_wait_read(std::source_location where = std::source_location::current()) {
  simt::copy_wait_read(where);
}
inline void async_fence() {
  simt::async_fence();
}

}  // namespace GESTALT_CUDA_NAMESPACE
