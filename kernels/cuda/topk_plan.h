#pragma once

// Which kernel selects Top-K, and how it is launched: a function of the layout, the rows, their
// length, the element's size and the device's properties. Every threshold is here with its
// reason; docs/topk_kernels.md has the arithmetic behind them.

#include <algorithm>
#include <bit>

#include "kernels/cuda/device/topk_block.cuh"
#include "kernels/cuda/device/topk_channels_last.cuh"
#include "kernels/cuda/device/topk_cluster.cuh"
#include "kernels/cuda/device/topk_long.cuh"
#include "kernels/cuda/device/topk_thread.cuh"
#include "kernels/cuda/device/topk_warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

struct TopKDevice {
  int multiprocessors;
  size_t shared_bytes;  // that a block may have
  int most_blocks;      // of a cluster; 1 where there are none
  size_t l2_bytes;
};

enum class TopKKernel : uint8_t { thread, warp, block, cluster, long_rows };

struct TopKPlan {
  TopKKernel kernel;
  int items = 0;        // registers' elements of a thread (thread, warp)
  int threads = 0;      // of a block
  unsigned blocks = 1;  // that share a row (block, cluster)
  int stages = 1;       // parts of a row in a block's shared memory (block, cluster)
  size_t shared_bytes = 0;
  unsigned grid = 0;         // blocks in all (but for long_rows)
  int chunk = 0;             // elements of a row that a block has (long_rows)
  int64_t rows_at_once = 0;  // (long_rows)
};

// Shared memory that a block takes beside what it asks for (sm_80 and later; earlier none).
inline constexpr size_t topk_reserved_bytes = 1024;

// Threads of a multiprocessor: the kernel's launch bounds leave it 64 of the 65536 registers each.
inline constexpr int topk_resident_threads = 1024;

// How often a block is on a multiprocessor at the same time.
inline int topk_resident(const TopKDevice& device, size_t bytes, int threads) {
  const size_t all = device.shared_bytes + topk_reserved_bytes;
  return std::min(static_cast<int>(all / (bytes + topk_reserved_bytes)),
                  topk_resident_threads / threads);
}

// 12 to 32 elements a thread: enough to hide shared memory's latency behind each other, and
// barriers among few warps.
inline int topk_block_threads(int part, int resident) {
  const int wanted = part <= 4096 ? 256 : part <= 16384 ? 512 : 1024;
  return std::min(
      wanted,
      static_cast<int>(std::bit_floor(static_cast<unsigned>(topk_resident_threads / resident))));
}

// Rows that stay in shared memory, from the layout that keeps memory busiest to the last that fits.
template <class Bits>
bool topk_plan_in_shared(int64_t rows, int length, const TopKDevice& device, TopKPlan& plan) {
  struct Layout {
    unsigned blocks;
    int stages, resident;
  };
  constexpr Layout layouts[] = {
      // Two rows on the chip, so that one is always on its way, and another block that computes
      // while this one waits at a barrier.
      {1, 2, 2},
      // Three blocks take turns to load, to select and to store. Cheaper than a cluster's barriers.
      {1, 1, 3},
      // The same as the first with a part of the row each; the fewest blocks have the fewest
      // barriers and the least to exchange.
      {2, 2, 2},
      {4, 2, 2},
      {8, 2, 2},
      // Without clusters: two blocks take turns, which hides half of the selection.
      {1, 1, 2},
      // One block at a time: loads overlap with the selection, or nothing does. Still one read and
      // one write, where the last resort reads five times.
      {8, 2, 1},
      {8, 1, 1},
      {1, 2, 1},
      {1, 1, 1},
  };
  for (const Layout& layout : layouts) {
    if (static_cast<int>(layout.blocks) > device.most_blocks) continue;
    plan.kernel = layout.blocks == 1 ? TopKKernel::block : TopKKernel::cluster;
    plan.blocks = layout.blocks;
    plan.stages = layout.stages;
    plan.threads = topk_block_threads(topk_part(length, layout.blocks), layout.resident);
    plan.shared_bytes =
        layout.blocks == 1
            ? topk_block_bytes<Bits, TopKAlone>(length, layout.blocks, layout.stages)
            : topk_block_bytes<Bits, TopKCluster>(length, layout.blocks, layout.stages);
    const int resident = topk_resident(device, plan.shared_bytes, plan.threads);
    if (resident < layout.resident || plan.shared_bytes > device.shared_bytes) continue;
    // Blocks that walk over rows: as many as are there at once. More rows than that are left to a
    // second stage, or, with one stage, to the next block.
    const int64_t at_once =
        std::max<int64_t>(1, int64_t{device.multiprocessors} * resident / layout.blocks);
    plan.grid = static_cast<unsigned>((layout.stages == 1 ? rows : std::min(rows, at_once)) *
                                      layout.blocks);
    return true;
  }
  return false;
}

// Many blocks a row: at least four a multiprocessor where the rows have that many elements, to even
// out the last ones; a chunk of 8192 elements makes its histogram's 2048 bins worth while, 2048 the
// least that does. As many rows at once as fit in half of L2, so that only the first kernel reads
// memory.
template <class Bits>
TopKPlan topk_plan_long(int64_t rows, int length, const TopKDevice& device) {
  TopKPlan plan{TopKKernel::long_rows};
  plan.threads = topk_long_threads;
  plan.shared_bytes = TopKBlockMemory::bytes;
  const auto row_bytes = static_cast<int64_t>(length) * static_cast<int64_t>(sizeof(Bits));
  plan.rows_at_once =
      std::clamp<int64_t>(static_cast<int64_t>(device.l2_bytes / 2) / row_bytes, 1, rows);
  plan.chunk = 8192;
  while (plan.chunk > 2048 && plan.rows_at_once * ((length + plan.chunk - 1) / plan.chunk) <
                                  int64_t{4} * device.multiprocessors) {
    plan.chunk /= 2;
  }
  return plan;
}

template <class Bits>
TopKPlan topk_plan(int64_t rows, int length, const TopKDevice& device) {
  if (length <= topk_thread_most) {
    // 16 elements need half of the registers of 64.
    TopKPlan plan{TopKKernel::thread};
    plan.items = length <= 16 ? 16 : topk_thread_most;
    plan.threads = topk_thread_block;
    plan.shared_bytes = topk_thread_bytes(length);
    plan.grid = static_cast<unsigned>((rows + topk_thread_block - 1) / topk_thread_block);
    return plan;
  }
  if (length <= topk_warp_most) {
    // 32 elements a lane are 40 to 72 registers; more would leave too few warps to hide memory.
    TopKPlan plan{TopKKernel::warp};
    plan.items = length <= 8 * warp_lanes ? 8 : 32;
    plan.threads = topk_warp_threads;
    constexpr int64_t rows_of_block = topk_warp_threads / warp_lanes;
    plan.grid = static_cast<unsigned>((rows + rows_of_block - 1) / rows_of_block);
    return plan;
  }
  TopKPlan plan;
  if (topk_plan_in_shared<Bits>(rows, length, device, plan)) return plan;
  return topk_plan_long<Bits>(rows, length, device);
}

// ---- channels last ----

struct TopKTilePlan {
  bool cached;  // the tile stays in shared memory
  int threads, digit_bits;
  size_t shared_bytes;
};

template <class Key, class T>
TopKTilePlan topk_tile_plan(int length, const TopKDevice& device) {
  // 6 to 50 elements a thread, and strands enough to walk a long tile.
  const int threads = length <= 256 ? 128 : length <= 512 ? 256 : 512;
  // 256 bins a channel need about as many pixels to be worth clearing and adding up; 32 are a pass
  // or two more, and take an eighth of the memory.
  const int few = 5, many = length <= 128 ? few : 8;
  struct Layout {
    bool cached;
    int threads, digit_bits, resident;
  };
  const Layout layouts[] = {
      // Two tiles or more take turns to load, to select and to store.
      {true, threads, many, 2},
      {true, threads, few, 2},
      // One tile: still one read and one write. All the threads that there are hide its latencies.
      {true, 1024, many, 1},
      {true, 1024, few, 1},
      {false, threads, many, 1},
      {false, threads, few, 1},
  };
  TopKTilePlan plan{};
  for (const Layout& layout : layouts) {
    plan = {layout.cached, layout.threads, layout.digit_bits,
            topk_tile_state_bytes<Key, T>(layout.threads, layout.digit_bits) +
                (layout.cached ? topk_tile_bytes<T>(length) : 0)};
    if (plan.shared_bytes <= device.shared_bytes &&
        topk_resident(device, plan.shared_bytes, plan.threads) >= layout.resident) {
      break;
    }
  }
  return plan;
}

}  // namespace GESTALT_CUDA_NAMESPACE
