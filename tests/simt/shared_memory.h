#pragma once

// The shared memory of one block, watched: bounds, reads of bytes never written, and races.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "tests/simt/executor.h"

namespace gestalt::simt {

// The happens-before order of the lanes of one warp: step[l] is the latest step of lane l that
// this thread knows to lie behind it. A __syncwarp ends a step and joins the clocks of its lanes.
struct LaneClocks {
  uint32_t step[32];

  void reset();
  static void join(std::span<LaneClocks* const> clocks, std::span<const int> lanes);
};

class SharedMemoryWatch {
 public:
  // What is wrong with an access; `other` is the second thread of a race.
  enum class Fault : uint8_t { none, bounds, uninitialized, race };
  struct Verdict {
    Fault fault = Fault::none;
    int other = 0;
  };

  void begin_launch(size_t bytes);
  void begin_block();
  // All threads passed a barrier: nothing before it can race with what follows.
  void next_epoch() { ++epoch_; }

  Verdict access(size_t offset, size_t bytes, Access access, int thread, const LaneClocks& clocks);

  char* data() { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Record {
    uint32_t epoch = 0;  // 0: none
    uint32_t step = 0;   // of the lane
    uint16_t thread = 0;
    uint8_t bytes = 0;  // of the word, as bits
    bool atomic = false;
  };
  // One word. Two readers, of different warps where there were such: then any writer meets one.
  struct Cell {
    Record write, read[2];
    uint8_t written = 0;  // bytes of the word, in this block
  };

  bool races(const Record& record, uint8_t bytes, int thread, const LaneClocks& clocks) const;

  struct Free {
    void operator()(char* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<char, Free> data_;
  size_t bytes_ = 0;
  std::vector<Cell> cells_;
  uint32_t epoch_ = 0;
};

}  // namespace gestalt::simt
