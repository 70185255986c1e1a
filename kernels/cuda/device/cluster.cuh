#pragma once

// Clusters of thread blocks (sm_90): 2, 4 or 8 neighbouring blocks along x that run at the same
// time and reach each other's shared memory. LaunchConfig::cluster asks for them, up to
// max_cluster_size() of device_limits.h; without, and on older chips, a block is a cluster of one.
//
//   cluster_sync();                                        // the others have begun
//   SharedArray<int> theirs = map_shared(counts, rank);    // the array of the block `rank`
//   ... cluster_sync();                                    // nobody leaves while others read
//
// All threads of a cluster take part in each barrier. A block may touch another's memory only
// between two of them: the first says that the other runs, the last that it may go.

#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

__device__ inline unsigned cluster_rank() {
  return __clusterRelativeBlockRank();
}
__device__ inline unsigned cluster_size() {
  return __clusterSizeInBlocks();
}
// Orders what came before it, in every block, before what follows the wait.
__device__ inline void cluster_arrive() {
  __cluster_barrier_arrive();
}
__device__ inline void cluster_wait() {
  __cluster_barrier_wait();
}
template <class T>
__device__ SharedArray<T> map_shared(T* array, unsigned rank) {
  return static_cast<T*>(__cluster_map_shared_rank(array, rank));
}

#else

__device__ inline unsigned cluster_rank() {
  return 0;
}
__device__ inline unsigned cluster_size() {
  return 1;
}
__device__ inline void cluster_arrive() {}
__device__ inline void cluster_wait() {
  __syncthreads();
}
template <class T>
__device__ SharedArray<T> map_shared(T* array, unsigned) {
  return array;
}

#endif

__device__ inline void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

}  // namespace GESTALT_CUDA_NAMESPACE
