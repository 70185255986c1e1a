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
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  const TopKPlan plan = topk_plan<Bits>(rows, length, device);
  SCOPED_TRACE(testing::Message() << rows << " rows of " << length << " elements of "
                                  << sizeof(Bits) << " bytes, " << device.multiprocessors
                                  << " multiprocessors");
  EXPECT_LE(plan.shared_bytes, device.shared_bytes);
  EXPECT_LE(plan.threads, 1024);
  EXPECT_EQ(plan.threads % 32, 0);
  EXPECT_LE(static_cast<int>(plan.blocks), device.most_blocks);
  const int64_t teams = plan.grid / plan.blocks;
  const int warps = plan.threads / 32 * static_cast<int>(plan.blocks);
  switch (plan.kernel) {
    case TopKKernel::thread:
      EXPECT_LE(length, plan.words * per_word);
      EXPECT_GE(teams * plan.threads, rows);
      break;
    case TopKKernel::warp:
      EXPECT_LE(length, plan.words * per_word * plan.lanes);
      EXPECT_GE(teams * plan.threads / plan.lanes, rows);
      break;
    case TopKKernel::block:
    case TopKKernel::cluster:
      EXPECT_EQ(teams, rows);
      EXPECT_LE(plan.threads, plan.kernel == TopKKernel::block ? TopKBlockTeam::most_threads
                                                               : TopKClusterTeam::most_threads);
      EXPECT_LE(length, int64_t{plan.words + plan.overflow * topk_group} * per_word * 32 * warps);
      EXPECT_GE(plan.shared_bytes,
                (plan.kernel == TopKKernel::block ? TopKBlockTeam::bytes : TopKClusterTeam::bytes) +
                    sizeof(TopKGroup) * static_cast<size_t>(plan.overflow * plan.threads));
      EXPECT_LE(plan.words + plan.overflow * topk_group, topk_most_thread_words);
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

TEST(TopKPlan, ShortRowsAreAThreadsOrAWarps) {
  EXPECT_EQ(plan_of<uint32_t>(1).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint32_t>(49).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint16_t>(64).kernel, TopKKernel::thread);
  EXPECT_EQ(plan_of<uint16_t>(65).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(128).lanes, 8);
  EXPECT_EQ(plan_of<uint32_t>(129).lanes, 16);
  EXPECT_EQ(plan_of<uint32_t>(257).lanes, 32);
  EXPECT_EQ(plan_of<uint16_t>(256).lanes, 8);
  EXPECT_EQ(plan_of<uint16_t>(257).lanes, 16);
  EXPECT_EQ(plan_of<uint32_t>(784).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(896).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint32_t>(897).kernel, TopKKernel::block);
  EXPECT_EQ(plan_of<uint16_t>(1792).kernel, TopKKernel::warp);
  EXPECT_EQ(plan_of<uint16_t>(1793).kernel, TopKKernel::block);
}

// The lengths of 56x56 to 256x256 are a block's, of which some words lie in shared memory as soon
// as registers alone would leave a multiprocessor with fewer than four rows, or where fewer words
// are counted then. Longer ones are a cluster's, where there are clusters.
TEST(TopKPlan, LongerRowsAreABlocksOrAClusters) {
  EXPECT_EQ(plan_of<uint32_t>(3136).threads, 64);
  EXPECT_GT(plan_of<uint32_t>(3136).overflow, 0);
  EXPECT_EQ(plan_of<uint16_t>(3136).threads, 32);
  EXPECT_EQ(plan_of<uint32_t>(3584).threads, 128);  // 112 words by either
  EXPECT_EQ(plan_of<uint32_t>(7168).overflow, 0);
  EXPECT_GT(plan_of<uint32_t>(7169).overflow, 0);
  EXPECT_EQ(plan_of<uint16_t>(12544).overflow, 0);
  const struct {
    TopKPlan plan;
    int resident, warps;
  } blocks[] = {{plan_of<uint32_t>(12544), 4, 7},
                {plan_of<uint32_t>(50176), 1, 28},
                {plan_of<uint32_t>(65536), 1, 32},
                {plan_of<uint16_t>(50176), 2, 14},
                {plan_of<uint16_t>(131072), 1, 32}};
  for (const auto& [plan, resident, warps] : blocks) {
    EXPECT_EQ(plan.kernel, TopKKernel::block);
    EXPECT_EQ(topk_resident(h200, plan.shared_bytes, plan.threads), resident);
    EXPECT_EQ(plan.threads, warps * 32);
  }
  EXPECT_EQ(plan_of<uint32_t>(65537).blocks, 2u);
  EXPECT_EQ(plan_of<uint32_t>(262144).blocks, 4u);
  EXPECT_EQ(plan_of<uint32_t>(524288).kernel, TopKKernel::cluster);
  EXPECT_EQ(plan_of<uint32_t>(65536, a100).kernel, TopKKernel::block);
  EXPECT_EQ(plan_of<uint32_t>(39680, t4).kernel, TopKKernel::block);
}

TEST(TopKPlan, TheRestIsSharedByManyBlocks) {
  EXPECT_EQ(plan_of<uint32_t>(524289).kernel, TopKKernel::long_rows);
  EXPECT_EQ(plan_of<uint32_t>(65537, a100).kernel, TopKKernel::long_rows);
  EXPECT_EQ(plan_of<uint32_t>(39681, t4).kernel, TopKKernel::long_rows);
  EXPECT_EQ(plan_of<uint32_t>(1000000).kernel, TopKKernel::long_rows);
  // One row of a million elements: enough blocks for the whole device.
  const TopKPlan plan = topk_plan<uint32_t>(1, 1000000, h200);
  EXPECT_GE(1000000 / plan.chunk, 2 * h200.multiprocessors);
  // As many rows as L2 holds twice.
  EXPECT_EQ(plan_of<uint32_t>(1 << 20).rows_at_once, 6);
}

// Rows of 50176 f32: each multiprocessor of an H200 has one, so the one that follows is 132
// further. Four rows at once load while others select; a device with less L2 than rows asks for
// none.
TEST(TopKPlan, FollowingRowsAreAskedForWhereFewAreAtOnce) {
  EXPECT_EQ(plan_of<uint32_t>(50176).ahead, 132);
  EXPECT_EQ(plan_of<uint16_t>(50176).ahead, 264);
  EXPECT_EQ(plan_of<uint32_t>(262144).ahead, 33);
  EXPECT_EQ(plan_of<uint32_t>(12544).ahead, 0);
  EXPECT_EQ(plan_of<uint32_t>(784).ahead, 0);
  EXPECT_EQ(plan_of<uint32_t>(36864, t4).ahead, 0);
  EXPECT_EQ(topk_tile_plan<uint32_t>(3136, h200).ahead, 132);
  EXPECT_EQ(topk_tile_plan<uint32_t>(784, h200).ahead, 0);
}

template <class Bits>
TopKTilePlan tile_plan_of(int length, const TopKDevice& device = h200) {
  return topk_tile_plan<Bits>(length, device);
}

TEST(TopKPlan, TilesStayInSharedMemoryWhileTheyFit) {
  EXPECT_EQ(tile_plan_of<uint32_t>(49).kernel, TopKTileKernel::thread);
  // A block's 256 lanes have the 16 or 32 channels of a tile, all at once.
  EXPECT_EQ(tile_plan_of<uint32_t>(65).lanes, 16);
  EXPECT_EQ(tile_plan_of<uint16_t>(65).lanes, 8);
  for (const int length : {65, 196, 784}) {
    EXPECT_EQ(tile_plan_of<uint32_t>(length).kernel, TopKTileKernel::registers) << length;
    EXPECT_EQ(tile_plan_of<uint16_t>(length).width_bits, 4) << length;
  }
  EXPECT_EQ(tile_plan_of<uint32_t>(3136).kernel, TopKTileKernel::column);
  EXPECT_EQ(tile_plan_of<uint32_t>(3136).width_bits, 4);
  EXPECT_EQ(tile_plan_of<uint32_t>(3136, a100).width_bits, 3);
  EXPECT_EQ(tile_plan_of<uint32_t>(12544).kernel, TopKTileKernel::transposed);
  EXPECT_EQ(tile_plan_of<uint32_t>(3136, t4).kernel, TopKTileKernel::transposed);
  for (const TopKDevice& device : devices) {
    for (int length = 1; length < 3000000; length += 1 + length / 7) {
      EXPECT_LE(tile_plan_of<uint32_t>(length, device).shared_bytes, device.shared_bytes) << length;
      EXPECT_LE(tile_plan_of<uint16_t>(length, device).threads, topk_column_most_threads) << length;
    }
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
