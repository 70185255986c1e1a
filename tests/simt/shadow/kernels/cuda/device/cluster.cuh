#pragma once

// kernels/cuda/device/cluster.cuh under the SIMT executor.

#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline unsigned cluster_rank() {
  return static_cast<unsigned>(simt::cluster_rank());
}
inline unsigned cluster_size() {
  return static_cast<unsigned>(simt::cluster_size());
}
inline void cluster_arrive(std::source_location where = std::source_location::current()) {
  simt::cluster_arrive(where);
}
inline void cluster_wait(std::source_location where = std::source_location::current()) {
  simt::cluster_wait(where);
}
inline void cluster_sync(std::source_location where = std::source_location::current()) {
  simt::cluster_arrive(where);
  simt::cluster_wait(where);
}

template <class T>
SharedArray<T> map_shared(const SharedArray<T>& array, unsigned rank) {
  if (rank >= cluster_size()) {
    simt::fail("asks for the memory of block {} of a cluster of {}", rank, cluster_size());
  }
  return array.of_block(static_cast<int>(rank));
}

}  // namespace GESTALT_CUDA_NAMESPACE
