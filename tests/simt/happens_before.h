#pragma once

// Which accesses of a kernel's threads happen before which, and the races among the others.

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/simt/executor.h"

namespace gestalt::simt {

// The happens-before order of the lanes of one warp: step[l] is the latest step of lane l that
// this thread knows to lie behind it. A __syncwarp ends a step and joins the clocks of its lanes.
struct LaneClocks {
  uint32_t step[32];

  void reset();
  static void join(std::span<LaneClocks* const> clocks, std::span<const int> lanes);
};

// Threads are numbered within their cluster, 1024 numbers a block.
inline constexpr int numbers_of_block = 1024;

// What a thread has passed.
struct ThreadClock {
  uint32_t run = 0;  // of its cluster: every one that runs has another
  uint16_t thread = 0;
  uint32_t barriers = 0;  // of its block
  uint32_t cluster_arrivals = 0, cluster_waits = 0;
  uint32_t async_fences = 0;
  LaneClocks lanes{};
};

struct AccessRecord {
  uint32_t run = 0;  // 0: none
  uint32_t barriers = 0, cluster_arrivals = 0;
  uint32_t step = 0;  // of the lane
  uint16_t thread = 0;
  uint8_t bytes = 0;  // of the word, as bits
  bool atomic = false;

  // Whether it happens before what the thread does now: the same thread's, the same block's before
  // a barrier, the same warp's before a __syncwarp, the same cluster's before a cluster barrier.
  bool before(const ThreadClock& now) const;
};

// The last accesses to one word of memory. Three readers, of different warps and of different
// blocks where there were such: then nearly any writer meets one.
class WordHistory {
 public:
  // Adds an access to the `bytes` (bits) of the word; the record that it races with, or null.
  const AccessRecord* add(Access access, uint8_t bytes, const ThreadClock& now);

 private:
  AccessRecord write_, read_[3];
};

// The bytes of the word (4 bytes) of this number that [address, address + bytes) has, as bits.
inline uint8_t bytes_of_word(uintptr_t word, uintptr_t address, size_t bytes) {
  const uintptr_t begin = address > word * 4 ? address - word * 4 : 0;
  const uintptr_t end = address + bytes < word * 4 + 4 ? address + bytes - word * 4 : 4;
  return static_cast<uint8_t>((0xfu << begin) & (0xfu >> (4 - end)));
}

}  // namespace gestalt::simt
