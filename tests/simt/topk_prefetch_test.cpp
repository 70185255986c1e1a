// Rows that have a multiprocessor to themselves ask for the one that comes there next: each of
// those once, whole, and nothing outside of x.

#include <gtest/gtest.h>

#include "kernels/cuda/device/prefetch.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/topk_plan.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"
#include "tests/simt/topk_problem.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

using namespace simt;

// Of Top-K of p on a device of so many multiprocessors.
uint64_t prefetches_of(const Problem<float>& p, Format format, int multiprocessors) {
  const auto context = cpu_runtime.make_context(0);
  simt::set_device_properties({.multiprocessors = multiprocessors});
  simt::set_seed(1);
  const GuardedBuffer<float> x(p.laid_out(format));
  const GuardedBuffer<float> y(p.x.size());
  const auto view = [&](const float* data) {
    return View{const_cast<float*>(data), DType::f32, Device{}, p.shape(),
                strides_of(p.shape(), format)};
  };
  const uint64_t before = simt::prefetches();
  topk_forward(*context, view(x.data()), view(y.data()), nullptr, {.k = p.length / 10});
  simt::set_device_properties({});
  return simt::prefetches() - before;
}

TEST(TopKPrefetch, RowsOfABlock) {
  constexpr int64_t rows = 5, length = 40004;
  const auto p = make_problem<float>(1, rows, length, Kind::gaussian);
  // Each warp asks for its part of the next row, which begins and ends anywhere.
  constexpr int64_t step = prefetch_bytes / sizeof(float);
  const TopKPlan plan = topk_plan<uint32_t>(rows, length, {2, 227 * 1024, 8, 2 * 400 * 1024});
  ASSERT_EQ(plan.ahead, 2);
  int64_t of_row = 0;
  for (int warp = 0; warp < plan.threads / 32; ++warp) {
    of_row += (TopKShare(length, warp, plan.threads / 32, 32).count + step - 1) / step;
  }
  ASSERT_GE(of_row * step, length);
  EXPECT_EQ(prefetches_of(p, Format::contiguous, 2), (rows - 2) * of_row);
  EXPECT_EQ(prefetches_of(p, Format::contiguous, 132), 0u);  // all are on the device at once
}

TEST(TopKPrefetch, RowsOfACluster) {
  constexpr int64_t rows = 3, length = 70000;
  const auto p = make_problem<float>(1, rows, length, Kind::gaussian);
  EXPECT_GE(prefetches_of(p, Format::contiguous, 2),
            (rows - 1) * length * sizeof(float) / prefetch_bytes);
  EXPECT_EQ(prefetches_of(p, Format::contiguous, 132), 0u);
}

// A pixel's 16 channels of f32 are one request; the last tile has fewer channels.
TEST(TopKPrefetch, TilesOfChannelsLastRows) {
  constexpr int64_t length = 3000;
  const auto p = make_problem<float>(2, 36, length, Kind::gaussian);
  EXPECT_EQ(prefetches_of(p, Format::channels_last, 2), 4u * length);
  EXPECT_EQ(prefetches_of(p, Format::channels_last, 132), 0u);
}

TEST(TopKPrefetch, TheExecutorFindsOneOutsideOfABuffer) {
  const GuardedBuffer<float> x(std::vector<float>(64));
  const auto ask = [&](int64_t i) {
    simt::run({"ask", dim3(1), dim3(1)}, [&] { prefetch_l2(x.data() + i); });
  };
  EXPECT_NO_THROW(ask(63));
  EXPECT_THROW(ask(64), Error);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
