// Clusters under the executor: right kernels give the right values, planted faults are found.

#include "kernels/cuda/device/cluster.cuh"

#include <gtest/gtest.h>
#include <vector>

#include "tests/simt/executor_fixture.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

class Cluster : public Executor {
 protected:
  static LaunchConfig config(unsigned cluster, unsigned clusters = 3) {
    return {dim3(cluster * clusters), dim3(64), shared_size<int>(64), cluster};
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, Cluster, testing::Range(1, 9));

// Each thread of a cluster adds up what the same thread of every block has.
__global__ void sum_of_cluster(int* y) {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  const int block = static_cast<int>(blockIdx.x), i = static_cast<int>(threadIdx.x);
  values[63 - i] = 100 * block + 63 - i;
  cluster_sync();
  int sum = 0;
  for (unsigned rank = 0; rank < cluster_size(); ++rank) sum += map_shared(values, rank)[i];
  y[block * 64 + i] = sum;
  cluster_sync();
}

TEST_P(Cluster, BlocksReadEachOther) {
  for (const int size : {1, 2, 4, 8}) {
    std::vector<int> y(3 * 64 * size);
    launch_one(sum_of_cluster, config(size), y.data());
    for (int i = 0; i < static_cast<int>(y.size()); ++i) {
      const int first = i / 64 / size * size;
      int sum = 0;
      for (int block = first; block < first + size; ++block) sum += 100 * block + i % 64;
      EXPECT_EQ(y[i], sum) << i;
    }
  }
}

// All blocks count in the memory of the first.
__global__ void count_in_first_block(int* y) {
  SharedMemory shared;
  const SharedArray<int> counts = shared.array<int>(64);
  counts[threadIdx.x] = 0;
  cluster_sync();
  atomicAdd(map_shared(counts, 0) + threadIdx.x / 2, static_cast<int>(cluster_rank()) + 1);
  cluster_sync();
  y[blockIdx.x * 64 + threadIdx.x] = counts[threadIdx.x];
}

TEST_P(Cluster, RemoteAtomics) {
  std::vector<int> y(64 * 8);
  launch_one(count_in_first_block, config(4, 2), y.data());
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(y[i], i < 32 ? 20 : 0);
    EXPECT_EQ(y[64 * 5 + i], 0);
  }
}

__global__ void arrive_work_wait(int* y) {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = static_cast<int>(cluster_rank());
  cluster_arrive();
  const int own = values[threadIdx.x];
  cluster_wait();
  y[blockIdx.x * 64 + threadIdx.x] =
      own * 10 + map_shared(values, cluster_rank() ^ 1u)[threadIdx.x];
  cluster_sync();
}

TEST_P(Cluster, ArrivesAndWaitsApart) {
  std::vector<int> y(2 * 64);
  launch_one(arrive_work_wait, config(2, 1), y.data());
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[64], 10);
}

// ---- planted faults ----

__global__ void missed_by_one_block(bool by_exit) {
  if (cluster_rank() == 1) {
    if (!by_exit) __syncthreads();
    return;
  }
  cluster_sync();
}

TEST_P(Cluster, FindsBarrierThatABlockMisses) {
  expect_fault({"waits in the cluster's barrier", "thread (0,0,0) of block (1,0,0)", "has exited"},
               missed_by_one_block, config(2, 1), true);
  expect_fault({"waits in the cluster's barrier", "of block (1,0,0)"}, missed_by_one_block,
               config(2, 1), false);
}

__global__ void write_after_block_barrier(int* y) {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = 1;
  cluster_sync();
  const int other = map_shared(values, cluster_rank() ^ 1u)[threadIdx.x];
  __syncthreads();  // orders the own block alone
  values[threadIdx.x] = 2;
  y[blockIdx.x * 64 + threadIdx.x] = other;
  cluster_sync();
}

TEST_P(Cluster, FindsRaceBetweenBlocks) {
  std::vector<int> y(2 * 64);
  expect_fault({"a race with thread", "of block"}, write_after_block_barrier, config(2, 1),
               y.data());
}

__global__ void access_between_arrive_and_wait() {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = 1;
  cluster_sync();
  cluster_arrive();
  map_shared(values, cluster_rank() ^ 1u)[threadIdx.x] = 2;  // not before the barrier
  cluster_wait();
  values[threadIdx.x] = 3;
  cluster_sync();
}

TEST_P(Cluster, FindsRaceOfWhatFollowsAnArrival) {
  expect_fault({"a race with thread"}, access_between_arrive_and_wait, config(2, 1));
}

__global__ void read_remote_index(int* y, int64_t index, bool written) {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  if (written || threadIdx.x != 5) values[threadIdx.x] = 1;
  cluster_sync();
  if (threadIdx.x == 0 && cluster_rank() == 0) y[0] = map_shared(values, 1)[index];
  cluster_sync();
}

TEST_P(Cluster, FindsRemoteBoundsAndUnwritten) {
  std::vector<int> y(1);
  launch_one(read_remote_index, config(2, 1), y.data(), int64_t{5}, true);
  expect_fault({"index 64 of a shared array of 64"}, read_remote_index, config(2, 1), y.data(),
               int64_t{64}, true);
  expect_fault({"of block (1,0,0)", "which nobody wrote"}, read_remote_index, config(2, 1),
               y.data(), int64_t{5}, false);
}

__global__ void remote_rank(unsigned rank) {
  SharedMemory shared;
  map_shared(shared.array<int>(64), rank);
}

TEST_P(Cluster, FindsBlockThatDoesNotExist) {
  expect_fault({"block 2 of a cluster of 2"}, remote_rank, config(2, 1), 2u);
}

__global__ void leaves_too_early(int* y) {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = 1;
  cluster_sync();
  y[blockIdx.x * 64 + threadIdx.x] = map_shared(values, cluster_rank() ^ 1u)[threadIdx.x];
}

TEST_P(Cluster, FindsAccessToABlockThatMayHaveExited) {
  std::vector<int> y(2 * 64);
  expect_fault({"exit"}, leaves_too_early, config(2, 1), y.data());
}

__global__ void begins_too_early() {
  SharedMemory shared;
  const SharedArray<int> values = shared.array<int>(64);
  map_shared(values, cluster_rank() ^ 1u)[threadIdx.x] = 1;
  cluster_sync();
}

TEST_P(Cluster, FindsAccessToABlockThatMayNotHaveBegun) {
  expect_fault({"need not have begun"}, begins_too_early, config(2, 1));
}

__global__ void arrives_twice() {
  cluster_arrive();
  cluster_arrive();
}

__global__ void waits_at_once() {
  cluster_wait();
}

TEST_P(Cluster, FindsArrivalsAndWaitsThatDoNotMatch) {
  expect_fault({"twice without a wait"}, arrives_twice, config(2, 1));
  expect_fault({"without having arrived"}, waits_at_once, config(2, 1));
}

TEST_P(Cluster, RefusesWhatNoGpuTakes) {
  std::vector<int> y(64 * 6);
  expect_fault({"a cluster of 3 blocks"}, sum_of_cluster, config(3), y.data());
  expect_fault({"not a multiple of clusters of 4"}, sum_of_cluster,
               {dim3(6), dim3(64), shared_size<int>(64), 4}, y.data());
  simt::set_device_properties({.architecture = 80});
  expect_fault({"clusters of up to 1"}, sum_of_cluster, config(2), y.data());
  launch_one(sum_of_cluster, config(1), y.data());
  simt::set_device_properties({});
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
