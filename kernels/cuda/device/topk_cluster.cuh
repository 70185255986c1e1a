#pragma once

// The blocks of a cluster as Top-K's team for one row (topk_block.cuh): each has a part of it in
// its shared memory, so that rows of eight blocks' memory are read once and written once. A
// histogram is added up in slices, one a block, and the sums are written to all: for 8 blocks 1 KB
// to read and 1 KB to write for each pair of blocks and digit.

#include "kernels/cuda/device/cluster.cuh"
#include "kernels/cuda/device/topk_radix.cuh"

namespace GESTALT_CUDA_NAMESPACE {

class TopKCluster {
 public:
  static constexpr size_t bytes = shared_size<uint32_t>(1) + shared_size<double>(1);

  __device__ explicit TopKCluster(SharedMemory& memory)
      : count_(memory.array<uint32_t>(1)), sum_(memory.array<double>(1)) {}

  __device__ unsigned size() const { return cluster_size(); }
  __device__ unsigned rank() const { return cluster_rank(); }
  __device__ void leave() const { cluster_sync(); }

  // In place: a slice of any block's histogram is read and written by one block alone.
  __device__ void merge(SharedArray<uint32_t> histogram) const {
    cluster_sync();
    const int slice = topk_bins / static_cast<int>(size());
    const int first = static_cast<int>(rank()) * slice;
    for (int bin = first + static_cast<int>(threadIdx.x); bin < first + slice; bin += blockDim.x) {
      uint32_t count = 0;
      for (unsigned block = 0; block < size(); ++block) count += map_shared(histogram, block)[bin];
      for (unsigned block = 0; block < size(); ++block) map_shared(histogram, block)[bin] = count;
    }
    cluster_sync();
  }

  __device__ uint32_t before(uint32_t count) const {
    if (threadIdx.x == 0) count_[0] = count;
    cluster_sync();
    uint32_t sum = 0;
    for (unsigned block = 0; block < rank(); ++block) sum += map_shared(count_, block)[0];
    return sum;
  }

  __device__ double sum(double value) const {
    if (threadIdx.x == 0) sum_[0] = value;
    cluster_sync();
    double total = 0;
    for (unsigned block = 0; block < size(); ++block) total += map_shared(sum_, block)[0];
    return total;
  }

 private:
  SharedArray<uint32_t> count_;
  SharedArray<double> sum_;
};

}  // namespace GESTALT_CUDA_NAMESPACE
