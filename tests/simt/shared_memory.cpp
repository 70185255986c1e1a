#include "tests/simt/shared_memory.h"

#include <algorithm>
#include <cstring>

namespace gestalt::simt {

void LaneClocks::reset() {
  std::fill(std::begin(step), std::end(step), 0u);
}

void LaneClocks::join(std::span<LaneClocks* const> clocks, std::span<const int> lanes) {
  LaneClocks joined;
  joined.reset();
  for (size_t i = 0; i < clocks.size(); ++i) {
    ++clocks[i]->step[lanes[i]];
    for (int l = 0; l < 32; ++l) joined.step[l] = std::max(joined.step[l], clocks[i]->step[l]);
  }
  for (LaneClocks* clock : clocks) *clock = joined;
}

void SharedMemoryWatch::begin_launch(size_t bytes) {
  bytes_ = bytes;
  data_.reset(static_cast<char*>(std::aligned_alloc(64, (bytes + 64) / 64 * 64)));
  cells_.assign((bytes + 3) / 4, Cell{});
}

void SharedMemoryWatch::begin_block() {
  std::memset(data_.get(), 0xcd, bytes_);
  for (Cell& cell : cells_) cell.written = 0;
  ++epoch_;
}

bool SharedMemoryWatch::races(const Record& record, uint8_t bytes, int thread,
                              const LaneClocks& clocks) const {
  if (record.epoch != epoch_ || record.thread == thread || (record.bytes & bytes) == 0) {
    return false;
  }
  return record.thread / 32 != thread / 32 || clocks.step[record.thread % 32] < record.step;
}

SharedMemoryWatch::Verdict SharedMemoryWatch::access(size_t offset, size_t bytes, Access access,
                                                     int thread, const LaneClocks& clocks) {
  if (offset > bytes_ || bytes > bytes_ - offset) return {Fault::bounds};
  const bool atomic = access == Access::atomic;
  for (size_t word = offset / 4; word * 4 < offset + bytes; ++word) {
    Cell& cell = cells_[word];
    const size_t begin = std::max(offset, word * 4) - word * 4;
    const size_t end = std::min(offset + bytes, word * 4 + 4) - word * 4;
    const uint8_t mask = static_cast<uint8_t>((0xfu << begin) & (0xfu >> (4 - end)));
    if (!(atomic && cell.write.atomic) && races(cell.write, mask, thread, clocks)) {
      return {Fault::race, cell.write.thread};
    }
    const Record now{epoch_, clocks.step[thread % 32] + 1, static_cast<uint16_t>(thread), mask,
                     atomic};
    if (access != Access::write && (cell.written & mask) != mask) return {Fault::uninitialized};
    if (access == Access::read) {
      Record& last = cell.read[0];
      if (last.epoch == epoch_ && last.thread / 32 != thread / 32) cell.read[1] = last;
      last = now;
      continue;
    }
    for (const Record& read : cell.read) {
      if (races(read, mask, thread, clocks)) return {Fault::race, read.thread};
    }
    cell.written |= mask;
    cell.write = now;
  }
  return {};
}

}  // namespace gestalt::simt
