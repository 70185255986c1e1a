// The emulated device itself: what it computes, and that faults which only a GPU would show are
// found.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <vector>

#include "kernels/runtime.h"
#include "kernels/set_runtime.h"
#include "kernels/table.h"
#include "tensor/allocator.h"
#include "tensor/context.h"
#include "tensor/graph.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/tensor.h"
#include "tests/error_of.h"
#include "tests/simt/access_hooks.h"
#include "tests/simt/device/runtime.h"

namespace gestalt {
namespace {

using tests::error_of;

const Device cuda{DeviceType::cuda, 0};

[[maybe_unused]] const bool installed = [] {
  set_cuda_runtime(simt::emulated_cuda_runtime);
  return true;
}();

Tensor ones(const Shape& shape) {
  return Tensor::ones(shape, {.device = cuda});
}

const void* data_of(const Tensor& x) {
  return x.view().data;
}

class EmulatedDevice : public testing::Test {
 protected:
  void SetUp() override { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }

  // The device's memory, through the runtime alone.
  Context& context_ = context(cuda);
  const Runtime& runtime_ = context_.runtime();
};

TEST_F(EmulatedDevice, AddsAndCopiesBack) {
  const Tensor x = Tensor::from_vector<float>({1, 2, 3}, {3}, {.device = cuda});
  EXPECT_EQ(add(x, x).to_vector<float>(), (std::vector<float>{2, 4, 6}));
}

TEST_F(EmulatedDevice, CountsMemoryThatIsKeptForReuse) {
  synchronize(cuda);
  const MemoryStats before = memory_stats(cuda);
  EXPECT_EQ(before.cached, 0u);
  constexpr size_t bytes = 3 << 20;
  void* memory = allocate(cuda, bytes);
  EXPECT_EQ(memory_stats(cuda).in_use, before.in_use + bytes);
  EXPECT_EQ(memory_stats(cuda).cached, 0u);
  release(cuda, memory, bytes);  // the queue has it still
  EXPECT_EQ(memory_stats(cuda).in_use, before.in_use);
  EXPECT_GE(memory_stats(cuda).cached, bytes);
  empty_cache(cuda);
  EXPECT_EQ(memory_stats(cuda).cached, 0u);
}

// ---- the host and the device's memory ----

using EmulatedDeviceDeathTest = EmulatedDevice;

TEST_F(EmulatedDeviceDeathTest, TheHostReadsAndWritesNothing) {
  const Tensor x = ones({2});
  auto* values = const_cast<volatile float*>(static_cast<const float*>(data_of(x)));
  EXPECT_DEATH((void)values[1], "the host accesses device memory, byte 4 of an allocation of 8");
  EXPECT_DEATH(values[0] = 1, "the host accesses device memory, byte 0 of an allocation of 8");
}

TEST_F(EmulatedDeviceDeathTest, TheHostReadsNothingAfterAWait) {
  const Tensor x = ones({2});
  synchronize(cuda);
  EXPECT_DEATH((void)*static_cast<const volatile float*>(data_of(x)), "the host accesses");
}

TEST_F(EmulatedDeviceDeathTest, ReleasedTwice) {
  void* memory = runtime_.allocate(context_, 100);
  EXPECT_DEATH(
      {
        runtime_.release(context_, memory);
        runtime_.release(context_, memory);
      },
      "released is device memory, byte 0 of an allocation of 100 bytes");
  runtime_.release(context_, memory);
}

// A library's call, which the executor does not see.
TEST_F(EmulatedDeviceDeathTest, ALibraryReadsFreedMemory) {
  Tensor a = ones({1, 4, 4});
  const Tensor b = ones({1, 4, 4});
  const View freed = a.view();
  a = {};
  synchronize(cuda);
  const auto multiply = [&] {
    context_.kernels().matmul(context_, freed, b.view(), 1, 0, b.view());
    synchronize(cuda);
  };
  EXPECT_DEATH(multiply(), "work of the device accesses device memory, .* which was freed");
}

// ---- kernels ----

// Without the hooks (with AddressSanitizer) these are crashes, or not seen at all.
#define GESTALT_NEEDS_ACCESS_HOOKS() \
  if (!simt::has_access_hooks()) GTEST_SKIP() << "the executor sees no accesses in this build"

TEST_F(EmulatedDevice, AKernelReadsFreedMemory) {
  GESTALT_NEEDS_ACCESS_HOOKS();
  Tensor x = ones({8});
  const Tensor y = ones({8});
  const View freed = x.view();
  x = {};
  synchronize(cuda);
  context_.kernels().add(context_, freed, y.view(), y.view());
  const std::string error = error_of([&] { synchronize(cuda); });
  EXPECT_NE(error.find("[add]"), std::string::npos) << error;
  EXPECT_NE(error.find("an allocation of 32 bytes, which was freed"), std::string::npos) << error;
  EXPECT_EQ(error_of([] { synchronize(cuda); }), "");  // reported once
}

TEST_F(EmulatedDevice, AKernelReachesPastTheEnd) {
  GESTALT_NEEDS_ACCESS_HOOKS();
  const Tensor x = ones({8}), y = ones({16});
  View longer = y.view();
  longer.data = x.view().data;
  context_.kernels().add(context_, longer, y.view(), y.view());
  const std::string error = error_of([&] { synchronize(cuda); });
  EXPECT_NE(error.find("past the end of an allocation of 32 bytes"), std::string::npos) << error;
}

TEST_F(EmulatedDevice, AKernelReadsMemoryOfTheHost) {
  GESTALT_NEEDS_ACCESS_HOOKS();
  const Tensor x = Tensor::ones({8}), y = ones({8});
  context_.kernels().add(context_, x.view(), y.view(), y.view());
  const std::string error = error_of([&] { synchronize(cuda); });
  EXPECT_NE(error.find("host memory"), std::string::npos) << error;
}

TEST_F(EmulatedDevice, WhatNobodyWroteIsNoNumber) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const Tensor x = Tensor::empty({100}, {.dtype = dtype, .device = cuda});
    for (const double value : add(x, x).to_vector<double>()) EXPECT_TRUE(std::isnan(value));
  }
}

// ---- streams ----

// One stream does not wait for the other.
TEST_F(EmulatedDevice, NothingIsComputedBeforeAWait) {
  const std::unique_ptr<Context> other = runtime_.make_context(0);
  const Tensor x = ones({1}), y = Tensor::empty({1}, {.device = cuda});
  synchronize(cuda);
  context_.kernels().add(context_, x.view(), x.view(), y.view());
  float value = 0;
  runtime_.copy(*other, &value, data_of(y), sizeof value, CopyKind::device_to_host);
  EXPECT_TRUE(std::isnan(value));
  synchronize(cuda);
  runtime_.copy(*other, &value, data_of(y), sizeof value, CopyKind::device_to_host);
  EXPECT_EQ(value, 2);
}

TEST_F(EmulatedDevice, MemoryIsReleasedInTheOrderOfTheStream) {
  const Tensor y = Tensor::empty({8}, {.device = cuda});
  {
    const Tensor x = ones({8});
    context_.kernels().add(context_, x.view(), x.view(), y.view());
  }
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(8, 2));
}

TEST_F(EmulatedDevice, RunsOutOfMemory) {
  const std::string error = error_of([] { Tensor::empty({int64_t{1} << 40}, {.device = cuda}); });
  EXPECT_NE(error.find("out of memory on cuda:0"), std::string::npos) << error;
}

TEST_F(EmulatedDevice, AWorkspaceMayBeTried) {
  const std::unique_ptr<Context> own = runtime_.make_context(0);
  constexpr size_t too_much = size_t{1} << 40;
  EXPECT_NE(own->try_workspace(100), nullptr);
  EXPECT_EQ(own->try_workspace(too_much), nullptr);
  EXPECT_NE(own->try_workspace(100), nullptr);
  const std::string error = error_of([&] { own->workspace(too_much); });
  EXPECT_NE(error.find("out of memory: a workspace of"), std::string::npos) << error;
}

// ---- capture ----

TEST_F(EmulatedDevice, ReplaysInOrder) {
  Tensor x = ones({4});
  CapturedGraph graph(cuda, [&] { x.copy_(add(x, x)); });
  const float before = x.to_vector<float>()[0];
  graph.replay();
  graph.replay();
  EXPECT_EQ(x.to_vector<float>()[0], 4 * before);
}

TEST_F(EmulatedDevice, NothingRunsInACapture) {
  const Tensor y = Tensor::empty({4}, {.device = cuda}), x = ones({4});
  const std::unique_ptr<Context> other = runtime_.make_context(0);
  synchronize(cuda);
  runtime_.begin_capture(*other);
  other->kernels().add(*other, x.view(), x.view(), y.view());
  const auto work = runtime_.end_capture(*other);
  runtime_.synchronize(*other);
  EXPECT_TRUE(std::isnan(y.to_vector<float>()[0]));
  work->replay(*other);
  runtime_.synchronize(*other);
  EXPECT_EQ(y.to_vector<float>()[0], 2);
}

TEST_F(EmulatedDevice, ACaptureAllocatesAndWaitsForNothing) {
  const Tensor x = ones({4});
  const auto fails = [&](const std::function<void()>& step, const char* why) {
    int run = 0;
    const std::string error = error_of([&] {
      CapturedGraph(cuda, [&] {
        if (++run == 3) step();
      });
    });
    EXPECT_NE(error.find(why), std::string::npos) << error;
  };
  fails([&] { Tensor::empty({1000}, {.device = cuda}); }, "more than the warm-up runs left");
  fails([&] { runtime_.allocate(context_, 8); }, "an allocation of 8 bytes inside a captured step");
  fails([] { synchronize(cuda); }, "waiting for the device inside a captured step");
  fails([&] { x.to_vector<float>(); }, "inside a captured step");
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 1));
}

TEST_F(EmulatedDevice, ACaptureReplaysNothing) {
  const Tensor x = ones({4});
  CapturedGraph inner(cuda, [&] { x.copy_(add(x, x)); });
  int run = 0;
  const std::string error = error_of([&] {
    CapturedGraph(cuda, [&] {
      if (++run == 3) inner.replay();
    });
  });
  EXPECT_NE(error.find("inside a captured step"), std::string::npos) << error;
}

TEST_F(EmulatedDeviceDeathTest, ACaptureIsRefusedWhereEachKernelIsWaitedFor) {
  const auto message_of_a_capture = [] {
    setenv("GESTALT_SYNC", "1", 1);
    const Tensor x = ones({4});
    const std::string error = error_of([&] { CapturedGraph(cuda, [&] { x.copy_(add(x, x)); }); });
    std::fputs(error.c_str(), stderr);
    std::exit(0);
  };
  EXPECT_EXIT(message_of_a_capture(), testing::ExitedWithCode(0), "GESTALT_SYNC waits for each");
}

TEST_F(EmulatedDevice, ARecordedStepReplaysOntoFreedMemory) {
  GESTALT_NEEDS_ACCESS_HOOKS();
  Tensor x = ones({4});
  const Tensor y = ones({4});
  CapturedGraph graph(cuda,
                      [&] { context_.kernels().add(context_, x.view(), y.view(), y.view()); });
  x = {};
  graph.replay();
  const std::string error = error_of([] { synchronize(cuda); });
  EXPECT_NE(error.find("which was freed"), std::string::npos) << error;
}

}  // namespace
}  // namespace gestalt
