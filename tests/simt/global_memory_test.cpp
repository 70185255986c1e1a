// Global memory under the executor: planted faults are found where accesses are seen, and what is
// right passes.

#include "tests/simt/global_memory.h"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

#include "kernels/cuda/device/bulk_copy.cuh"
#include "kernels/cuda/device/cluster.cuh"
#include "kernels/cuda/device/convert.cuh"
#include "tests/simt/access_hooks.h"
#include "tests/simt/executor_fixture.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

class GlobalMemory : public Executor {
 protected:
  void SetUp() override {
    if (!simt::has_access_hooks()) GTEST_SKIP() << "AddressSanitizer sees the accesses";
    Executor::SetUp();
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, GlobalMemory, testing::Range(1, 9));

__global__ void write_up_to(float* y, int64_t last) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i <= last) y[i] = 0;
}

TEST_P(GlobalMemory, FindsWriteOutOfBounds) {
  simt::GuardedBuffer<float> y(40);
  launch_one(write_up_to, {dim3(2), dim3(32)}, y.data(), int64_t{39});
  expect_fault({"block (1,0,0) thread (8,0,0)", "writes 4 bytes of global memory",
                "4 bytes past the end of a buffer of 160 bytes"},
               write_up_to, {dim3(2), dim3(32)}, y.data(), int64_t{40});
  EXPECT_TRUE(y.intact());
}

// y[i] = x[index of i]
__global__ void read_at(const float* x, float* y, int64_t shift) {
  y[threadIdx.x] = x[threadIdx.x + shift];
}

TEST_P(GlobalMemory, FindsReadOutOfBounds) {
  const simt::GuardedBuffer<float> x(std::vector<float>(32, 1.0f));
  simt::GuardedBuffer<float> y(32);
  launch_one(read_at, {dim3(1), dim3(32)}, x.data(), y.data(), int64_t{0});
  expect_fault({"thread (0,0,0)", "reads 4 bytes", "4 bytes before a buffer of 128 bytes"}, read_at,
               {dim3(1), dim3(32)}, x.data(), y.data(), int64_t{-1});
}

__global__ void copy_packs(const float* x, float* y) {
  using Four = Pack<float, 4>;
  reinterpret_cast<Four*>(y)[threadIdx.x] = reinterpret_cast<const Four*>(x)[threadIdx.x];
}

TEST_P(GlobalMemory, FindsMisalignedAccess) {
  const std::vector<float> x(131, 1.0f);  // new aligns it to 16 bytes
  std::vector<float> y(131);
  const LaunchConfig config{dim3(1), dim3(32)};
  launch_one(copy_packs, config, x.data(), y.data());
  expect_fault({"reads 16 bytes of global memory", "misaligned: 4 bytes past a multiple of 16"},
               copy_packs, config, x.data() + 1, y.data());
  expect_fault({"writes 16 bytes of global memory", "misaligned: 12 bytes"}, copy_packs, config,
               x.data(), y.data() + 3);
}

TEST_P(GlobalMemory, FindsReadOfOutputThatNobodyWrote) {
  simt::GuardedBuffer<float> x(32), y(32);
  launch_one(write_up_to, {dim3(1), dim3(32)}, x.data(), int64_t{30});
  expect_fault({"thread (31,0,0)", "reads 4 bytes of global memory, which nobody wrote"}, read_at,
               {dim3(1), dim3(32)}, x.data(), y.data(), int64_t{0});
}

TEST_P(GlobalMemory, FindsAccessOutsideOfWhatIsAllowed) {
  std::vector<float> x(33, 1.0f), y(32), z(32);
  simt::AllowedMemory allowed;
  allowed.add(x.data(), 32 * sizeof(float), true);
  allowed.add(y.data(), 32 * sizeof(float), false);
  launch_one(read_at, {dim3(1), dim3(32)}, x.data(), y.data(), int64_t{0});
  expect_fault({"thread (31,0,0)", "4 bytes past the end"}, read_at, {dim3(1), dim3(32)}, x.data(),
               y.data(), int64_t{1});
  expect_fault({"writes 4 bytes of global memory", "out of bounds"}, read_at, {dim3(1), dim3(32)},
               x.data(), z.data(), int64_t{0});
}

__global__ void write_then_read(int* y, bool barrier, int distance) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int count = static_cast<int>(gridDim.x * blockDim.x);
  y[i] = i;
  if (barrier) __syncthreads();
  y[count + i] = y[(i + distance) % count];
}

TEST_P(GlobalMemory, FindsRaceWithinABlock) {
  std::vector<int> y(2 * 64);
  launch_one(write_then_read, {dim3(1), dim3(64)}, y.data(), true, 40);
  expect_fault({"of global memory, a race with thread ("}, write_then_read, {dim3(1), dim3(64)},
               y.data(), false, 40);
  expect_fault({"of global memory, a race with thread ("}, write_then_read, {dim3(1), dim3(64)},
               y.data(), false, 1);
}

TEST_P(GlobalMemory, FindsRaceBetweenBlocks) {
  std::vector<int> y(2 * 2 * 64);
  expect_fault({"a race with thread (", "of block ("}, write_then_read, {dim3(2), dim3(64)},
               y.data(), true, 64);
}

__global__ void all_write_one(int* y) {
  if (threadIdx.x == 0) y[0] = 1;  // the same value, and a race nonetheless
}

TEST_P(GlobalMemory, FindsWritesOfSeveralBlocks) {
  std::vector<int> y(1);
  expect_fault({"writes 4 bytes of global memory, a race"}, all_write_one, {dim3(3), dim3(32)},
               y.data());
}

__global__ void atomic_and_plain(int* y, bool plain) {
  if (plain && blockIdx.x == 1 && threadIdx.x == 3) {
    y[0] = 5;
  } else {
    atomicAdd(y, 1);
  }
}

TEST_P(GlobalMemory, FindsPlainWriteAgainstAtomic) {
  std::vector<int> y(1);
  launch_one(atomic_and_plain, {dim3(2), dim3(32)}, y.data(), false);
  EXPECT_EQ(y[0], 64);
  expect_fault({"a race with thread"}, atomic_and_plain, {dim3(2), dim3(32)}, y.data(), true);
}

__global__ void neighbouring_bytes(uint8_t* y) {
  y[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<uint8_t>(threadIdx.x);
}

TEST_P(GlobalMemory, NeighbouringBytesDoNotRace) {
  std::vector<uint8_t> y(3 * 33);
  launch_one(neighbouring_bytes, {dim3(3), dim3(33)}, y.data());
  EXPECT_EQ(y[98], 32);
}

__global__ void pass_through_memory(int* y, bool cluster_barrier) {
  y[blockIdx.x * 64 + threadIdx.x] = static_cast<int>(blockIdx.x);
  if (cluster_barrier) {
    cluster_sync();
  } else {
    __syncthreads();
  }
  const int other = y[(blockIdx.x ^ 1u) * 64 + threadIdx.x];
  cluster_sync();
  y[blockIdx.x * 64 + threadIdx.x] = other;
}

TEST_P(GlobalMemory, ClusterBarrierOrdersItsBlocks) {
  std::vector<int> y(4 * 64);
  const LaunchConfig config{dim3(4), dim3(64), 0, 2};
  launch_one(pass_through_memory, config, y.data(), true);
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[64 * 3], 2);
  expect_fault({"a race with thread", "of block"}, pass_through_memory, config, y.data(), false);
}

// A load whose source is overwritten, and a store whose target is touched, while on the way.
__global__ void disturb_copy(float* x, float* y, int fault) {
  SharedMemory shared;
  BulkLoad load(shared);
  const SharedArray<float> row = shared.array<float>(64);
  load.begin(row, x, 64);
  if (fault == 1 && threadIdx.x == 0) x[3] = 1;
  if (fault == 2 && threadIdx.x == 50) x[63] = 1;
  load.wait();
  x[threadIdx.x] = row[threadIdx.x] + 1;
  bulk_store_begin(y, row, 64);
  if (fault == 3 && threadIdx.x == 0) y[5] = 1;
  if (fault == 4 && threadIdx.x == 9) x[0] = y[9];
  bulk_store_wait();
}

TEST_P(GlobalMemory, FindsDisturbedBulkCopies) {
  std::vector<float> room_x(64 + 4), room_y(64 + 4);
  const auto aligned = [](std::vector<float>& room) {
    return room.data() + (16 - reinterpret_cast<uintptr_t>(room.data()) % 16) % 16 / sizeof(float);
  };
  float *from = aligned(room_x), *to = aligned(room_y);
  std::iota(from, from + 64, 0.0f);
  const LaunchConfig config{dim3(1), dim3(64), bulk_load_bytes + shared_size<float>(64)};
  launch_one(disturb_copy, config, from, to, 0);
  EXPECT_EQ(to[10], 10);
  EXPECT_EQ(from[10], 11);
  expect_fault({"writes 4 bytes of global memory, which a bulk copy is reading"}, disturb_copy,
               config, from, to, 1);
  expect_fault({"of global memory, a race with thread"}, disturb_copy, config, from, to, 2);
  expect_fault({"writes 4 bytes of global memory, which a bulk copy is filling"}, disturb_copy,
               config, from, to, 3);
  expect_fault({"of global memory, a race with thread"}, disturb_copy, config, from, to, 4);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
