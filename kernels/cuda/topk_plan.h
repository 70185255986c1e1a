#pragma once

// Which kernel selects Top-K, and how it is launched: a function of the layout, the rows, their
// length, the element's size and the device's properties. Every threshold is here with its
// reason; docs/topk_kernels.md has the arithmetic behind them.

#include <algorithm>
#include <optional>

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_columns.cuh"
#include "kernels/cuda/device/topk_long.cuh"
#include "kernels/cuda/device/topk_team_rows.cuh"
#include "kernels/cuda/device/topk_thread.cuh"
#include "kernels/cuda/device/topk_tile_rows.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

struct TopKDevice {
  int multiprocessors;
  size_t shared_bytes;  // that a block may have
  int most_blocks;      // of a cluster; 1 where there are none
  size_t l2_bytes;
};

// The threads, warps, blocks or clusters that have a row in their registers (and, blocks and
// clusters, the rest in shared memory); many blocks and several kernels.
enum class TopKKernel : uint8_t { thread, warp, block, cluster, long_rows };

struct TopKPlan {
  TopKKernel kernel;
  int words = 0;        // of a thread's registers (thread, warp, block, cluster)
  int overflow = 0;     // groups of words beside them in shared memory (block, cluster)
  int lanes = 32;       // of a row (warp)
  int threads = 0;      // of a block
  unsigned blocks = 1;  // that share a row (all but long_rows)
  size_t shared_bytes = 0;
  unsigned grid = 0;         // blocks in all (but for long_rows)
  int ahead = 0;             // rows from one to the one asked into L2 meanwhile (TopKInput)
  int chunk = 0;             // elements of a row that a block has (long_rows)
  int64_t rows_at_once = 0;  // (long_rows)
};

// Words of registers that a thread has at most. With them and what else they need threads have 64
// registers, so that 1024 of them fit on a multiprocessor.
inline constexpr int topk_most_words = 28;
// Those of threads that have words in shared memory, too: what reaches them takes registers.
inline constexpr int topk_overflow_words = 24;

// The lanes of a warp that have a row, and their words, rounded up to what kernels are made for: a
// step of the bisection costs two or three instructions a word.
struct TopKWarpPlan {
  int lanes, words;  // 8, 16: 16; 32: 16 or 28
};

// Four rows a warp, or two, where they are the shortest: a step costs about 50 instructions beside
// the counting, which they would spend most of their time on.
template <class Bits>
constexpr TopKWarpPlan topk_warp_plan(int length) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  for (const int lanes : {8, 16, 32}) {
    if (length <= lanes * 16 * per_word) return {lanes, 16};
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

// So many rows on a multiprocessor at once keep memory busy while some select.
inline constexpr int topk_wanted_resident = 4;

// How many rows (tiles) further those lie that follow the ones that are on the device, where these
// are too few to keep memory busy while they are selected from. None where the ones that follow
// would fill most of L2, through which what is written goes, too. blocks: that share one.
inline int topk_ahead(const TopKDevice& device, int resident, int blocks, size_t bytes) {
  const int rows = device.multiprocessors * resident / blocks;
  const bool fit = static_cast<size_t>(rows) * bytes <= device.l2_bytes / 4 * 3;
  return resident < topk_wanted_resident && fit ? rows : 0;
}

// A block a row in registers alone, with as few warps as hold it, since each step ends in a barrier
// among them.
inline TopKPlan topk_plan_registers(int64_t rows, int row_words, int warps) {
  TopKPlan plan{TopKKernel::block};
  plan.words = ceil_div(row_words, warps) <= 16 ? 16 : topk_most_words;
  plan.threads = warps * warp_lanes;
  plan.shared_bytes = TopKBlockTeam::bytes;
  plan.grid = static_cast<unsigned>(rows);
  return plan;
}

// Words of all lanes that a step counts where `parts` warps share a row: whole groups of each.
constexpr int topk_counted(int row_words, int parts) {
  return round_up(ceil_div(row_words, parts), topk_group) * parts;
}

// Up to 64 words a thread, of which shared memory has what registers don't: that keeps twice as
// much on the chip as registers alone, and a step costs half as many instructions beside the
// counting. As many blocks on a multiprocessor as those of the fewest warps that a row can have; of
// the numbers of warps that leave as many the one whose words are rounded up least (50176 f32: 28
// warps of 56 words, not 32 of 49), of equals the smallest, since each warp costs about 55
// instructions a step. None where registers alone hold a block's row, or nothing does.
inline std::optional<TopKPlan> topk_plan_overflow(int64_t rows, int row_words, int blocks,
                                                  const TopKDevice& device) {
  constexpr int all_warps = topk_resident_threads / warp_lanes;
  const int fewest = ceil_div(row_words, blocks * topk_most_thread_words);
  for (int resident = all_warps / fewest; resident > 0; --resident) {
    const int most = all_warps / resident;
    if (blocks == 1 && ceil_div(row_words, most) <= topk_most_words) return std::nullopt;
    std::optional<TopKPlan> best;
    int best_counted = 0;
    for (int warps = fewest; warps <= most; ++warps) {
      TopKPlan plan{blocks == 1 ? TopKKernel::block : TopKKernel::cluster};
      plan.blocks = static_cast<unsigned>(blocks);
      plan.words = topk_overflow_words;
      plan.overflow = topk_overflow_groups(ceil_div(row_words, blocks * warps), plan.words);
      plan.threads = warps * warp_lanes;
      plan.shared_bytes = (blocks == 1 ? TopKBlockTeam::bytes : TopKClusterTeam::bytes) +
                          shared_size<TopKGroup>(static_cast<size_t>(plan.overflow * plan.threads));
      plan.grid = static_cast<unsigned>(rows * blocks);
      const int counted = topk_counted(row_words, blocks * warps);
      if (topk_resident(device, plan.shared_bytes, plan.threads) < resident) continue;
      if (best && counted >= best_counted) continue;
      const auto row_bytes = static_cast<size_t>(row_words * warp_lanes) * sizeof(uint32_t);
      plan.ahead = topk_ahead(device, resident, blocks, row_bytes);
      best = plan;
      best_counted = counted;
    }
    if (best) return best;
  }
  return std::nullopt;
}

// Rows that stay on the chip: a warp each where its registers hold them, which needs no barrier;
// else a block, in registers alone as long as four rows are on a multiprocessor and fewer warps
// would not count fewer words (3136 f32: 2 warps of 52 words, not 4 of 28), or where its
// shared memory is small. A cluster's barrier costs several times what a block's does: only where a
// block has no room, and the fewest blocks. None where the chip has no room.
template <class Bits>
std::optional<TopKPlan> topk_plan_on_chip(int64_t rows, int length, const TopKDevice& device) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  const int row_words = ceil_div(length, warp_lanes * per_word);  // of a lane, were it one warp's
  if (row_words <= topk_most_words) {
    const auto [lanes, words] = topk_warp_plan<Bits>(length);
    TopKPlan plan{TopKKernel::warp};
    plan.words = words;
    plan.lanes = lanes;
    plan.threads = TopKWarpTeam<32>::most_threads;
    plan.grid = blocks_for(rows, plan.threads / lanes);
    return plan;
  }
  const int warps = ceil_div(row_words, topk_most_words);
  const bool few = warps * topk_wanted_resident > topk_resident_threads / warp_lanes;
  const auto alone = topk_plan_overflow(rows, row_words, 1, device);
  if (alone && (few || topk_counted(row_words, alone->threads / warp_lanes) <
                           topk_counted(row_words, warps))) {
    return alone;
  }
  if (few) {
    for (int blocks = 2; warps > TopKBlockTeam::most_warps; blocks *= 2) {
      if (blocks > device.most_blocks) return std::nullopt;
      if (const auto plan = topk_plan_overflow(rows, row_words, blocks, device)) return plan;
    }
  }
  return topk_plan_registers(rows, row_words, warps);
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
  while (plan.chunk > 2048 &&
         plan.rows_at_once * ceil_div(length, plan.chunk) < int64_t{4} * device.multiprocessors) {
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
    plan.grid = blocks_for(rows, topk_thread_block);
    return plan;
  }
  if (const auto plan = topk_plan_on_chip<Bits>(rows, length, device)) return *plan;
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
  int ahead = 0;  // tiles from one to the one asked into L2 meanwhile (TopKInput; column)
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
    if (per_word == 2) plan.shared_bytes = topk_thread_channels_bytes<Bits>(length);
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
      // As few that each of the block's has a channel of the tile.
      const auto [lanes, words] = topk_warp_plan<Bits>(length);
      plan.lanes = std::max(lanes, topk_tile_threads / (per_word << width_bits));
      plan.words = words;
      plan.threads = topk_tile_threads;
    } else {
      plan.ahead = topk_ahead(device, topk_resident(device, bytes, plan.threads), 1, bytes);
    }
    break;
  }
  return plan;
}

}  // namespace GESTALT_CUDA_NAMESPACE
