// Bulk copies under the executor, as sm_90 and as older chips do them: right kernels give the right
// values, planted faults are found.

#include "kernels/cuda/device/bulk_copy.cuh"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

#include "tests/simt/executor_fixture.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

class BulkCopy : public Executor {
 protected:
  void TearDown() override { simt::set_device_properties({}); }
};

INSTANTIATE_TEST_SUITE_P(Seeds, BulkCopy, testing::Range(1, 9));

// y = 2 x, row by row through one array, which is loaded, changed and stored again and again.
template <class T>
__global__ void double_rows(const T* x, T* y, int rows, int length) {
  SharedMemory shared;
  BulkLoad load(shared);
  const SharedArray<T> room = shared.array<T>(bulk_room<T>(length));
  for (int r = 0; r < rows; ++r) {
    const SharedArray<T> row = bulk_place(room, x + r * length);
    load.begin(row, x + r * length, length);
    load.wait();
    for (int i = static_cast<int>(threadIdx.x); i < length; i += blockDim.x) {
      const T value = row[i];
      row[i] = static_cast<T>(2 * value);
    }
    bulk_store_begin(y + r * length, row, length);
    bulk_store_wait();
  }
}

template <class T>
LaunchConfig double_config(int length) {
  return {dim3(1), dim3(64), bulk_load_bytes + shared_size<T>(bulk_room<T>(length))};
}

template <class T>
void check_double(int length, int shift_x, int shift_y) {
  constexpr int rows = 3;
  const auto context = cpu_runtime.make_context(0);
  alignas(16) T x[2000];
  simt::GuardedBuffer<T> y(static_cast<size_t>(rows * length + shift_y));
  for (int i = 0; i < rows * length; ++i) x[shift_x + i] = static_cast<T>(i % 100);
  launch(*context, "double_rows", double_rows<T>, double_config<T>(length), x + shift_x,
         y.data() + shift_y, rows, length);
  ASSERT_TRUE(y.intact());
  for (int i = 0; i < rows * length; ++i) {
    ASSERT_EQ(y[shift_y + i], static_cast<T>(2 * (i % 100)))
        << length << ' ' << shift_x << ' ' << shift_y << ' ' << i;
  }
}

TEST_P(BulkCopy, RowsOfAnyLengthAndAlignment) {
  for (const int architecture : {75, 90}) {
    simt::set_device_properties({.architecture = architecture});
    for (const int length : {1, 3, 4, 7, 64, 65, 131, 500}) {
      for (const int shift : {0, 1, 2, 3}) {
        check_double<float>(length, shift, shift);
        check_double<float>(length, shift, (shift + GetParam()) % 4);
        check_double<uint16_t>(length, shift, shift * 3 % 8);
      }
      check_double<uint8_t>(length, 5, GetParam());
    }
  }
}

// Two loads on the way at once, waited for in the other order.
__global__ void add_rows(const float* x, float* y, int length) {
  SharedMemory shared;
  BulkLoad first_load(shared), second_load(shared);
  const SharedArray<float> first = shared.array<float>(length),
                           second = shared.array<float>(length);
  first_load.begin(first, x, length);
  second_load.begin(second, x + length, length);
  second_load.wait();
  const float a = second[threadIdx.x];
  first_load.wait();
  y[threadIdx.x] = a + 10 * first[threadIdx.x];
}

TEST_P(BulkCopy, SeveralOnTheWay) {
  alignas(16) float x[128];
  std::iota(x, x + 128, 0.0f);
  std::vector<float> y(64);
  launch_one(add_rows, {dim3(1), dim3(64), 2 * bulk_load_bytes + 2 * shared_size<float>(64)}, x,
             y.data(), 64);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(y[i], 64 + 11 * i);
}

// ---- planted faults, one a value of `fault` ----

enum Fault {
  none,
  read_before_wait,
  write_before_wait,
  write_source_in_flight,
  no_store_wait,
  no_load_wait,
  no_fence,
  misaligned,
  too_long,
  wait_without_copy,
  no_barrier_before,
};

// One copy in and one out by the bare instructions, right but for the fault.
__global__ void copy_through(const float* x, float* y, Fault fault) {
  SharedMemory shared;
  const SharedArray<uint64_t> barrier = shared.array<uint64_t>(1);
  const SharedArray<float> row = shared.array<float>(64);
  const int i = static_cast<int>(threadIdx.x);
  if (i == 0) copy_barrier_init(barrier, 1);
  row[i] = 0;
  if (fault != no_fence) async_fence();
  if (fault != no_barrier_before) __syncthreads();
  if (i == 0 && fault != wait_without_copy) {
    copy_barrier_arrive(barrier, 256);
    async_copy_to_shared(shared_cast<unsigned char>(row), x + (fault == misaligned ? 1 : 0),
                         fault == too_long ? 272 : 256, barrier);
  }
  if (fault == read_before_wait && i == 40) y[i] = row[40];
  if (fault == write_before_wait && i == 41) row[41] = 7;
  if (fault != no_load_wait) copy_barrier_wait(barrier, 0);
  __syncthreads();
  if (fault == no_load_wait) return;
  row[i] += 1;
  async_fence();
  __syncthreads();
  if (i == 0) {
    async_copy_to_global(y, shared_cast<unsigned char>(row), 256);
    async_copy_commit();
  }
  __syncthreads();
  if (fault == write_source_in_flight && i == 63) row[i] = 0;
  if (fault == no_store_wait) return;
  if (i == 0) async_copy_wait_read();
  __syncthreads();
  row[i] = 5;
}

TEST_P(BulkCopy, FindsPlantedFaults) {
  alignas(16) float x[80];
  alignas(16) float y[64];
  std::iota(x, x + 80, 0.0f);
  const LaunchConfig config{dim3(1), dim3(64), bulk_load_bytes + shared_size<float>(64)};
  const auto expect = [&](Fault fault, const std::vector<std::string>& parts) {
    SCOPED_TRACE(static_cast<int>(fault));
    expect_fault(parts, copy_through, config, x, y, fault);
  };
  launch_one(copy_through, config, x, y, none);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(y[i], i + 1);
  expect(read_before_wait, {"shared memory at byte"});
  expect(write_before_wait, {"shared memory"});
  expect(write_source_in_flight, {"thread (63,0,0)", "a bulk copy is reading"});
  expect(no_store_wait, {"nobody waited for a bulk copy from shared memory"});
  expect(no_load_wait, {"nobody waited for a bulk copy to shared memory"});
  expect(no_fence, {"wrote without a fence since"});
  expect(misaligned, {"not multiples of 16"});
  expect(too_long, {"bulk copy of 272 bytes, out of bounds: the array has 256"});
  expect(wait_without_copy, {"waits in the wait for a copy that nobody began"});
  expect(no_barrier_before, {"shared memory"});
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
