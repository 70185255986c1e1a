// Which kernel Top-K's plan chooses, over lengths and devices: that every launch fits the device,
// and that the lengths that matter get the kernel made for them.

#include "kernels/cuda/topk_plan.h"

#include <gtest/gtest.h>

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr TopKDevice h200{132, 227 * 1024, 8, size_t{50} << 20};
constexpr TopKDevice a100{108, 163 * 1024, 1, size_t{40} << 20};
constexpr TopKDevice t4{40, 64 * 1024, 1, size_t{4} << 20};
constexpr TopKDevice devices[] = {h200, a100, t4};

template <class Bits>
void expect_launchable(int64_t rows, int length, const TopKDevice& device) {
  const TopKPlan plan = topk_plan<Bits>(rows, length, device);
  SCOPED_TRACE(testing::Message() << rows << " rows of " << length << " elements of "
                                  << sizeof(Bits) << " bytes, " << device.multiprocessors
                                  << " multiprocessors");
  EXPECT_LE(plan.shared_bytes, device.shared_bytes);
  EXPECT_TRUE(plan.threads == 128 || plan.threads == 256 || plan.threads == 512 ||
              plan.threads == 1024);
  switch (plan.kernel) {
    case TopKKernel::thread:
      EXPECT_LE(length, plan.items);
      EXPECT_GE(int64_t{plan.grid} * plan.threads, rows);
      break;
    case TopKKernel::warp:
      EXPECT_LE(length, plan.items * 32);
      EXPECT_GE(int64_t{plan.grid} * plan.threads / 32, rows);
      break;
    case TopKKernel::block:
    case TopKKernel::cluster:
      EXPECT_LE(static_cast<int>(plan.blocks), device.most_blocks);
      EXPECT_EQ(plan.grid % plan.blocks, 0u);
      EXPECT_GE(plan.grid / plan.blocks, 1u);
      EXPECT_LE(plan.grid / plan.blocks, rows);
      EXPECT_GE(topk_part(length, plan.blocks) * static_cast<int>(plan.blocks), length);
      EXPECT_LT(topk_part(length, plan.blocks) * (static_cast<int>(plan.blocks) - 1), length);
      break;
    case TopKKernel::long_rows:
      EXPECT_EQ(plan.chunk % 32, 0);
      EXPECT_GE(plan.rows_at_once, 1);
      EXPECT_LE(plan.rows_at_once, rows);
      break;
  }
}

TEST(TopKPlan, FitsEveryDevice) {
  for (const TopKDevice& device : devices) {
    for (const int64_t rows : {1, 3, 4096, 1000000}) {
      for (int length = 1; length < 3000000; length += 1 + length / 7) {
        expect_launchable<uint32_t>(rows, length, device);
        expect_launchable<uint16_t>(rows, length, device);
      }
    }
  }
}

template <class Bits>
TopKPlan plan_of(int length, const TopKDevice& device = h200) {
  return topk_plan<Bits>(4096, length, device);
}

TEST(TopKPlan, ShortRowsStayInRegisters) {
  EXPECT_EQ(plan_of<uint32_t>(1).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint32_t>(49).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint16_t>(64).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint16_t>(65).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(784).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(1024).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(1025).kernel, TopKKernel::block);
}

// The lengths of 56x56 and 112x112 have two rows on the chip and at least two blocks to a
// multiprocessor; that of 224x224 is shared by a cluster, where there are clusters.
TEST(TopKPlan, MiddlingRowsAreLoadedAhead) {
  for (const int length : {3136, 12544}) {
    const TopKPlan plan = plan_of<uint32_t>(length);
    EXPECT_EQ(plan.kernel, TopKKernel::block);
    EXPECT_EQ(plan.stages, 2);
    EXPECT_GE(topk_resident(h200, plan.shared_bytes, plan.threads), 2);
  }
  const TopKPlan plan = plan_of<uint32_t>(50176);
  EXPECT_EQ(plan.kernel, TopKKernel::cluster);
  EXPECT_EQ(plan.blocks, 4u);
  EXPECT_EQ(plan_of<uint16_t>(50176).blocks, 2u);
  EXPECT_EQ(plan_of<uint32_t>(131072).kernel, TopKKernel::cluster);
  EXPECT_EQ(plan_of<uint32_t>(16384, a100).kernel, TopKKernel::block);
}

TEST(TopKPlan, TheRestIsSharedByManyBlocks) {
  EXPECT_EQ(plan_of<uint32_t>(50176, a100).kernel, TopKKernel::long_rows);
  EXPECT_EQ(plan_of<uint32_t>(20000, t4).kernel, TopKKernel::long_rows);
  EXPECT_EQ(plan_of<uint32_t>(1000000).kernel, TopKKernel::long_rows);
  // One row of a million elements: enough blocks for the whole device.
  const TopKPlan plan = topk_plan<uint32_t>(1, 1000000, h200);
  EXPECT_GE(1000000 / plan.chunk, 2 * h200.multiprocessors);
  // As many rows as L2 holds twice.
  EXPECT_EQ(plan_of<uint32_t>(1 << 20).rows_at_once, 6);
}

template <class T>
TopKTilePlan tile_plan_of(int length, const TopKDevice& device = h200) {
  return topk_tile_plan<MagnitudeKey<T>, T>(length, device);
}

TEST(TopKPlan, TilesStayInSharedMemoryWhileTheyFit) {
  for (const int length : {1, 49, 196, 784, 3136}) {
    EXPECT_TRUE(tile_plan_of<float>(length).cached) << length;
    EXPECT_TRUE(tile_plan_of<bfloat16>(length).cached) << length;
  }
  const TopKTilePlan plan = tile_plan_of<float>(784);
  EXPECT_GE(topk_resident(h200, plan.shared_bytes, plan.threads), 2);
  EXPECT_FALSE(tile_plan_of<float>(12544).cached);
  EXPECT_FALSE(tile_plan_of<float>(3136, t4).cached);
  for (const TopKDevice& device : devices) {
    for (int length = 1; length < 3000000; length += 1 + length / 7) {
      EXPECT_LE(tile_plan_of<float>(length, device).shared_bytes, device.shared_bytes) << length;
      EXPECT_LE(tile_plan_of<float16>(length, device).shared_bytes, device.shared_bytes) << length;
    }
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
