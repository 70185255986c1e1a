#pragma once

// Which kernel selects Top-K, and how it is launched: a function of the layout, the rows, their
// length, the element's size and the device's properties. Every threshold is here with its
// reason; docs/topk_kernels.md has the arithmetic behind them.

#include <algorithm>
#include <bit>

#include "kernels/cuda/device/topk_block.cuh"
#include "kernels/cuda/device/topk_cluster.cuh"
#include "kernels/cuda/device/topk_columns.cuh"
#include "kernels/cuda/device/topk_long.cuh"
#include "kernels/cuda/device/topk_team_rows.cuh"
#include "kernels/cuda/device/topk_thread.cuh"
#include "kernels/cuda/device/topk_tile_rows.cuh"

namespace GESTALT_CUDA_NAMESPACE {

struct TopKDevice {
  int multiprocessors;
  size_t shared_bytes;  // that a block may have
  int most_blocks;      // of a cluster; 1 where there are none
  size_t l2_bytes;
};

// The threads, warps, blocks or clusters that have a row in their registers; blocks or clusters
// that have it in shared memory; many blocks and several kernels.
enum class TopKKernel : uint8_t {
  thread,
  warp,
  block,
  cluster,
  shared_block,
  shared_cluster,
  long_rows
};

struct TopKPlan {
  TopKKernel kernel;
  int words = 0;        // of a thread's registers (thread, warp, block, cluster)
  int lanes = 32;       // of a row (warp)
  int threads = 0;      // of a block
  unsigned blocks = 1;  // that share a row (all but long_rows)
  int stages = 1;       // parts of a row in a block's shared memory (shared_...)
  size_t shared_bytes = 0;
  unsigned grid = 0;         // blocks in all (but for long_rows)
  int chunk = 0;             // elements of a row that a block has (long_rows)
  int64_t rows_at_once = 0;  // (long_rows)
};

// Words of registers that a thread has at most. With them and what else they need threads have 64
// registers, so that 1024 of them fit on a multiprocessor.
inline constexpr int topk_most_words = 28;

// The lanes of a warp that have a row, and their words, rounded up to what kernels are made for: a
// step of the bisection costs two or three instructions a word.
struct TopKWarpPlan {
  int lanes, words;  // 16: 8; 32: 8, 16 or 28
};

// Two rows a warp where they are the shortest: a step costs about 45 instructions beside the
// counting, which they would spend most of their time on.
template <class Bits>
constexpr TopKWarpPlan topk_warp_plan(int length) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  if (length <= 16 * 8 * per_word) return {16, 8};
  for (const int words : {8, 16}) {
    if (length <= 32 * words * per_word) return {32, words};
  }
  return {32, topk_most_words};
}

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

// Rows that stay in registers: a warp each where they fit, which needs no barrier; else as few
// warps as hold them, since each step ends in a barrier among them. A cluster's barrier costs
// more than a block's: the fewest blocks.
template <class Bits>
bool topk_plan_in_registers(int64_t rows, int length, const TopKDevice& device, TopKPlan& plan) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  const auto quotient = [](int a, int b) { return (a + b - 1) / b; };
  const int row_words = quotient(length, warp_lanes * per_word);  // of a lane, were it one warp's
  if (row_words <= topk_most_words) {
    const auto [lanes, words] = topk_warp_plan<Bits>(length);
    plan.kernel = TopKKernel::warp;
    plan.words = words;
    plan.lanes = lanes;
    plan.threads = TopKWarpTeam<32>::most_threads;
    const int64_t rows_of_block = plan.threads / lanes;
    plan.grid = static_cast<unsigned>((rows + rows_of_block - 1) / rows_of_block);
    return true;
  }
  for (int blocks = 1; blocks <= device.most_blocks; blocks *= 2) {
    const int warps = quotient(row_words, blocks * topk_most_words);
    if (warps > (blocks == 1 ? TopKBlockTeam::most_warps : TopKClusterTeam::most_block_warps))
      continue;
    plan.kernel = blocks == 1 ? TopKKernel::block : TopKKernel::cluster;
    plan.blocks = static_cast<unsigned>(blocks);
    plan.words = blocks == 1 && quotient(row_words, warps) <= 16 ? 16 : topk_most_words;
    plan.threads = warps * warp_lanes;
    plan.shared_bytes = blocks == 1 ? TopKBlockTeam::bytes : TopKClusterTeam::bytes;
    plan.grid = static_cast<unsigned>(rows * blocks);
    return true;
  }
  return false;
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
    plan.kernel = layout.blocks == 1 ? TopKKernel::shared_block : TopKKernel::shared_cluster;
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
    TopKPlan plan{TopKKernel::thread};
    plan.words = topk_thread_words<Bits>(length);
    plan.threads = topk_thread_block;
    plan.shared_bytes = topk_thread_bytes<Bits>(length);
    plan.grid = static_cast<unsigned>((rows + topk_thread_block - 1) / topk_thread_block);
    return plan;
  }
  TopKPlan plan;
  if (topk_plan_in_registers<Bits>(rows, length, device, plan)) return plan;
  plan = {};
  if (topk_plan_in_shared<Bits>(rows, length, device, plan)) return plan;
  return topk_plan_long<Bits>(rows, length, device);
}

// ---- channels last ----

enum class TopKTileKernel : uint8_t { thread, registers, column, transposed };

struct TopKTilePlan {
  TopKTileKernel kernel;
  int words = 0;       // of a thread's registers (thread, registers)
  int lanes = 32;      // of a row (registers)
  int width_bits = 0;  // 1 << width_bits words of channels of a tile (registers, column)
  int threads = 0;     // of a block
  size_t shared_bytes = 0;
};

// A tile takes 64 bytes of each pixel, which is what memory delivers at once; 32, of which half of
// the reading is in vain, only where the device has no room for more. Each warp has one column of a
// tile that stays in shared memory.
template <class Bits>
TopKTilePlan topk_tile_plan(int length, const TopKDevice& device) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  TopKTilePlan plan{TopKTileKernel::transposed};
  if (length <= topk_thread_most) {
    plan.kernel = TopKTileKernel::thread;
    plan.words = topk_thread_words<Bits>(length);
    plan.threads = topk_thread_block;
    plan.shared_bytes = topk_thread_channels_bytes<Bits>(length);
    return plan;
  }
  if (length > topk_column_most) return plan;
  for (const int width_bits : {topk_tile_width_bits, 3}) {
    const size_t bytes = topk_tile_bytes(length, 1 << width_bits);
    if (bytes > device.shared_bytes) continue;
    plan.kernel = TopKTileKernel::column;
    plan.width_bits = width_bits;
    plan.threads = (1 << width_bits) * warp_lanes;
    plan.shared_bytes = bytes;
    if (width_bits == topk_tile_width_bits && length <= topk_most_words * warp_lanes * per_word) {
      plan.kernel = TopKTileKernel::registers;
      plan.lanes = topk_warp_plan<Bits>(length).lanes;
      plan.words = topk_warp_plan<Bits>(length).words;
      plan.threads = topk_tile_threads;
    }
    break;
  }
  return plan;
}

}  // namespace GESTALT_CUDA_NAMESPACE
