// The executor itself: correct kernels give the right values for every seed, and each kind of
// fault, planted in an otherwise correct kernel, is found and named.

#include "tests/simt/executor.h"

#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <vector>

#include "kernels/cuda/device/shared.cuh"
#include "tests/simt/executor_fixture.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr unsigned all_lanes = 0xffffffffu;

INSTANTIATE_TEST_SUITE_P(Seeds, Executor, testing::Range(1, 9));

// ---- right kernels ----

__global__ void block_sum(const float* x, float* y) {
  SharedMemory shared;
  SharedArray<float> sums = shared.array<float>(blockDim.x);
  const unsigned i = threadIdx.x;
  sums[i] = x[blockIdx.x * blockDim.x + i];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (i < half) sums[i] += sums[i + half];
    __syncthreads();
  }
  if (i == 0) y[blockIdx.x] = sums[0];
}

TEST_P(Executor, SumsThroughSharedMemory) {
  std::vector<float> x(5 * 128);
  std::iota(x.begin(), x.end(), 0.0f);
  simt::GuardedBuffer<float> y(5);
  launch_one(block_sum, {dim3(5), dim3(128), shared_size<float>(128)}, x.data(), y.data());
  for (int b = 0; b < 5; ++b) EXPECT_EQ(y[b], 128.0f * 128 * b + 127 * 64);
  EXPECT_TRUE(y.intact());
}

__global__ void warp_operations(int* out) {
  const int i = static_cast<int>(threadIdx.x), lane = i % 32;
  int sum = lane;
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(all_lanes, sum, step);
  out[0 * 64 + i] = sum;
  out[1 * 64 + i] = __shfl_sync(all_lanes, i, 5);
  out[2 * 64 + i] = __shfl_up_sync(all_lanes, lane, 3);
  out[3 * 64 + i] = __shfl_down_sync(all_lanes, lane, 3, 16);
  out[4 * 64 + i] = static_cast<int>(__ballot_sync(all_lanes, lane % 3 == 0));
  out[5 * 64 + i] = static_cast<int>(__match_any_sync(all_lanes, lane % 4));
  out[6 * 64 + i] = __any_sync(all_lanes, lane == 7) + 2 * __all_sync(all_lanes, lane < 31);
  if (lane < 8) out[7 * 64 + i] = __shfl_sync(0xffu, lane * lane, 7 - lane);
}

TEST_P(Executor, WarpOperations) {
  std::vector<int> out(8 * 64, -1);
  launch_one(warp_operations, {dim3(1), dim3(64)}, out.data());
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32;
    EXPECT_EQ(out[0 * 64 + i], 496);
    EXPECT_EQ(out[1 * 64 + i], i / 32 * 32 + 5);
    EXPECT_EQ(out[2 * 64 + i], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(out[3 * 64 + i], lane % 16 < 13 ? lane + 3 : lane);
    EXPECT_EQ(static_cast<unsigned>(out[4 * 64 + i]), 0x49249249u);
    EXPECT_EQ(static_cast<unsigned>(out[5 * 64 + i]), 0x11111111u << lane % 4);
    EXPECT_EQ(out[6 * 64 + i], 1);
    EXPECT_EQ(out[7 * 64 + i], lane < 8 ? (7 - lane) * (7 - lane) : -1);
  }
}

__global__ void count_values(const int* x, int* y) {
  SharedMemory shared;
  SharedArray<int> counts = shared.array<int>(4);
  if (threadIdx.x < 4) counts[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(counts + x[threadIdx.x], 1);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(y + threadIdx.x, counts[threadIdx.x]);
}

TEST_P(Executor, AtomicsDoNotRace) {
  std::vector<int> x(96), y(4, 0);
  for (int i = 0; i < 96; ++i) x[i] = i % 4;
  launch_one(count_values, {dim3(3), dim3(96), shared_size<int>(4)}, x.data(), y.data());
  EXPECT_EQ(y, std::vector<int>(4, 72));
}

// Lanes hand values on within their warp, ordered by __syncwarp alone.
__global__ void rotate_lanes(int* y) {
  SharedMemory shared;
  SharedArray<int> values = shared.array<int>(64);
  const unsigned i = threadIdx.x, warp = i / 32 * 32;
  values[i] = static_cast<int>(i);
  __syncwarp();
  const int next = values[warp + (i + 1) % 32];
  __syncwarp();
  values[i] = next;
  __syncwarp();
  y[i] = values[warp + (i + 1) % 32];
}

TEST_P(Executor, WarpSynchronousExchange) {
  std::vector<int> y(64);
  launch_one(rotate_lanes, {dim3(1), dim3(64), shared_size<int>(64)}, y.data());
  for (int i = 0; i < 64; ++i) EXPECT_EQ(y[i], i / 32 * 32 + (i + 2) % 32);
}

__global__ void vote(int* y) {
  const int t = static_cast<int>(threadIdx.x);
  y[t] = __syncthreads_count(t % 3 == 0) + 100 * __syncthreads_or(t == 5) +
         1000 * __syncthreads_and(t != 5);
}

TEST_P(Executor, BarriersCount) {
  std::vector<int> y(48);
  launch_one(vote, {dim3(1), dim3(48)}, y.data());
  EXPECT_EQ(y, std::vector<int>(48, 116));
}

__global__ void coordinates(int* y) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  atomicAdd(y + block * blockDim.x * blockDim.y * blockDim.z + thread, 1);
}

TEST_P(Executor, EveryThreadRunsOnce) {
  std::vector<int> y(2 * 3 * 4 * 5 * 6 * 7, 0);
  launch_one(coordinates, {dim3(2, 3, 4), dim3(5, 6, 7)}, y.data());
  EXPECT_EQ(y, std::vector<int>(y.size(), 1));
}

__global__ void append_thread(int* order, int* count) {
  order[atomicAdd(count, 1)] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

TEST(Schedule, DiffersWithTheSeedAndRepeatsForOne) {
  const auto context = cpu_runtime.make_context(0);
  const auto order_of = [&](uint64_t seed) {
    std::vector<int> order(4 * 32);
    int count = 0;
    simt::set_seed(seed);
    launch(*context, "append", append_thread, {dim3(4), dim3(32)}, order.data(), &count);
    return order;
  };
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 1; seed <= 8; ++seed) orders.insert(order_of(seed));
  EXPECT_EQ(orders.size(), 8u);
  EXPECT_EQ(order_of(3), order_of(3));
}

TEST_P(Executor, EmptyGridRunsNothing) {
  launch_one(append_thread, {dim3(0), dim3(32)}, nullptr, nullptr);
}

// ---- planted faults ----

__global__ void barrier_after_exit() {
  if (threadIdx.x == 17) return;
  __syncthreads();
}

TEST_P(Executor, FindsBarrierThatAnExitedThreadMisses) {
  expect_fault({"[planted]", "block (0,0,0)", "__syncthreads", "thread (17,0,0), which has exited",
                "GESTALT_SIMT_SEED="},
               barrier_after_exit, {dim3(1), dim3(64)});
}

__global__ void divergent_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST_P(Executor, FindsThreadsAtDifferentBarriers) {
  expect_fault({"different barriers", "executor_test.cpp"}, divergent_barriers,
               {dim3(1), dim3(64)});
}

__global__ void barrier_against_warp() {
  if (threadIdx.x < 31) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

TEST_P(Executor, FindsBarrierAgainstWarpOperation) {
  expect_fault({"waits in __syncthreads", "thread (31,0,0), which waits at"}, barrier_against_warp,
               {dim3(1), dim3(32)});
}

__global__ void mismatched_masks() {
  __ballot_sync(threadIdx.x == 3 ? 0x0fffffffu : all_lanes, 1);
}

TEST_P(Executor, FindsMismatchedMasks) {
  expect_fault({"vote", "0x0fffffff", "0xffffffff"}, mismatched_masks, {dim3(1), dim3(32)});
}

__global__ void different_operations(int* y) {
  if (threadIdx.x % 2 == 0) {
    y[0] = __shfl_sync(all_lanes, 1, 0);
  } else {
    y[1] = static_cast<int>(__ballot_sync(all_lanes, 1));
  }
}

TEST_P(Executor, FindsDifferentWarpOperations) {
  std::vector<int> y(2);
  expect_fault({"shuffle", "vote", "mask"}, different_operations, {dim3(1), dim3(32)}, y.data());
}

__global__ void exited_lane() {
  if (threadIdx.x == 40) return;
  __syncwarp();
}

TEST_P(Executor, FindsLaneThatHasExited) {
  expect_fault({"__syncwarp", "has exited"}, exited_lane, {dim3(1), dim3(64)});
}

__global__ void full_mask() {
  __syncwarp();
}

TEST_P(Executor, FindsLaneThatDoesNotExist) {
  expect_fault({"lane 20", "does not exist"}, full_mask, {dim3(1), dim3(20)});
}

__global__ void mask_without_self() {
  __syncwarp(1u << (threadIdx.x + 1) % 32);
}

TEST_P(Executor, FindsMaskWithoutTheLane) {
  expect_fault({"lacks the lane itself"}, mask_without_self, {dim3(1), dim3(32)});
}

__global__ void shuffle_from_outside(int* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0xffffu, 1, 20);
}

TEST_P(Executor, FindsShuffleFromOutsideTheMask) {
  std::vector<int> y(16);
  expect_fault({"reads from lane 20"}, shuffle_from_outside, {dim3(1), dim3(32)}, y.data());
}

__global__ void write_index(int64_t index) {
  SharedMemory shared;
  SharedArray<float> first = shared.array<float>(8);
  SharedArray<float> second = shared.array<float>(8);
  if (threadIdx.x == 0) {
    second[0] = 1;
    first[index] = 1;
  }
}

TEST_P(Executor, FindsSharedAccessOutOfBounds) {
  const LaunchConfig config{dim3(1), dim3(32), 2 * shared_size<float>(8)};
  launch_one(write_index, config, int64_t{7});
  expect_fault({"thread (0,0,0)", "index 8 of a shared array of 8"}, write_index, config,
               int64_t{8});
  expect_fault({"index -1"}, write_index, config, int64_t{-1});
  expect_fault({"takes 64 bytes of shared memory, launched with 48"}, write_index,
               {dim3(1), dim3(32), 48}, int64_t{0});
}

__global__ void read_unwritten(float* y) {
  SharedMemory shared;
  SharedArray<float> values = shared.array<float>(64);
  if (threadIdx.x < 33) values[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x == 0) y[0] = values[33];
}

TEST_P(Executor, FindsReadOfUnwrittenMemory) {
  std::vector<float> y(1);
  expect_fault({"reads 4 bytes", "at byte 132, which nobody wrote"}, read_unwritten,
               {dim3(1), dim3(64), shared_size<float>(64)}, y.data());
}

// What one block wrote, the next does not see.
__global__ void read_from_earlier_block(float* y) {
  SharedMemory shared;
  SharedArray<float> values = shared.array<float>(1);
  if (atomicAdd(y, 1.0f) == 0) {
    values[0] = 1;
  } else {
    y[1] = values[0];
  }
}

TEST_P(Executor, FindsReadOfAnotherBlocksMemory) {
  std::vector<float> y(2);
  expect_fault({"nobody wrote"}, read_from_earlier_block, {dim3(2), dim3(1), shared_size<float>(1)},
               y.data());
}

__global__ void missing_barrier(int* y) {
  SharedMemory shared;
  SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  const int other = values[63 - threadIdx.x];
  // here a barrier is missing
  values[threadIdx.x] = other;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];
}

TEST_P(Executor, FindsRaceBetweenWarps) {
  std::vector<int> y(64);
  expect_fault({"a race with thread"}, missing_barrier, {dim3(1), dim3(64), shared_size<int>(64)},
               y.data());
}

__global__ void missing_syncwarp(int* y) {
  SharedMemory shared;
  SharedArray<int> values = shared.array<int>(32);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncwarp();
  const int other = values[31 - threadIdx.x];
  // a vote waits for the lanes, but orders no memory
  __any_sync(all_lanes, 1);
  values[threadIdx.x] = other;
  __syncwarp();
  y[threadIdx.x] = values[threadIdx.x];
}

TEST_P(Executor, FindsRaceWithinWarp) {
  std::vector<int> y(32);
  expect_fault({"a race with thread"}, missing_syncwarp, {dim3(1), dim3(32), shared_size<int>(32)},
               y.data());
}

__global__ void syncwarp_across_warps(int* y) {
  SharedMemory shared;
  SharedArray<int> values = shared.array<int>(64);
  values[threadIdx.x] = 1;
  __syncwarp();
  y[threadIdx.x] = values[(threadIdx.x + 32) % 64];
}

TEST_P(Executor, FindsSyncwarpUsedAcrossWarps) {
  std::vector<int> y(64);
  try {
    launch_one(syncwarp_across_warps, {dim3(1), dim3(64), shared_size<int>(64)}, y.data());
    ADD_FAILURE() << "the fault was not found";
  } catch (const Error& error) {  // the schedule decides which of the two comes first
    const std::string text = error.what();
    EXPECT_TRUE(text.find("a race") != std::string::npos ||
                text.find("nobody wrote") != std::string::npos)
        << text;
  }
}

// Two halves of a warp, each synchronized in itself.
__global__ void half_warps(int* y) {
  SharedMemory shared;
  SharedArray<int> values = shared.array<int>(32);
  const unsigned mask = threadIdx.x < 16 ? 0xffffu : 0xffff0000u;
  values[threadIdx.x] = 1;
  __syncwarp(mask);
  if (threadIdx.x == 0) values[20] = 2;
  __syncwarp(mask);
  y[threadIdx.x] = values[threadIdx.x];
}

TEST_P(Executor, FindsRaceBetweenHalvesOfAWarp) {
  std::vector<int> y(32);
  expect_fault({"a race with thread"}, half_warps, {dim3(1), dim3(32), shared_size<int>(32)},
               y.data());
}

__global__ void plain_against_atomic() {
  SharedMemory shared;
  SharedArray<int> count = shared.array<int>(1);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  if (threadIdx.x == 5) {
    count[0] = 7;
  } else {
    atomicAdd(count, 1);
  }
}

TEST_P(Executor, FindsPlainWriteAgainstAtomic) {
  expect_fault({"a race with thread"}, plain_against_atomic,
               {dim3(1), dim3(64), shared_size<int>(1)});
}

__global__ void neighbour_bytes(uint8_t* y) {
  SharedMemory shared;
  SharedArray<uint8_t> bytes = shared.array<uint8_t>(64);
  bytes[threadIdx.x] = static_cast<uint8_t>(threadIdx.x);
  y[threadIdx.x] = bytes[threadIdx.x];
}

TEST_P(Executor, NeighbouringBytesDoNotRace) {
  std::vector<uint8_t> y(64);
  launch_one(neighbour_bytes, {dim3(1), dim3(64), shared_size<uint8_t>(64)}, y.data());
  EXPECT_EQ(y[63], 63);
}

TEST_P(Executor, RefusesWhatNoGpuTakes) {
  expect_fault({"1024 threads"}, full_mask, {dim3(1), dim3(1025)});
  expect_fault({"grid (1,65536,1)"}, full_mask, {dim3(1, 65536), dim3(32)});
  expect_fault({"227 KB"}, full_mask, {dim3(1), dim3(32), 300 * 1024});
}

// After a fault, stacks left in the middle of a kernel are used again.
TEST_P(Executor, WorksAfterAFault) {
  std::vector<int> y(64);
  expect_fault({"exited"}, barrier_after_exit, {dim3(1), dim3(64)});
  launch_one(rotate_lanes, {dim3(1), dim3(64), shared_size<int>(64)}, y.data());
  EXPECT_EQ(y[0], 2);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
