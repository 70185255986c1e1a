#include "tests/simt/shared_memory.h"

#include <algorithm>
#include <cstring>

namespace gestalt::simt {

void SharedMemoryWatch::begin_launch(size_t bytes) {
  bytes_ = bytes;
  data_.reset(static_cast<char*>(std::aligned_alloc(64, (bytes + 64) / 64 * 64)));
  cells_.assign((bytes + 3) / 4, Cell{});
}

void SharedMemoryWatch::begin_block() {
  std::memset(data_.get(), 0xcd, bytes_);
  std::fill(cells_.begin(), cells_.end(), Cell{});
}

SharedMemoryWatch::Verdict SharedMemoryWatch::access(size_t offset, size_t bytes, Access access,
                                                     const ThreadClock& now) {
  if (offset > bytes_ || bytes > bytes_ - offset) return {Fault::bounds};
  for (size_t word = offset / 4; word * 4 < offset + bytes; ++word) {
    Cell& cell = cells_[word];
    const uint8_t mask = bytes_of_word(word, offset, bytes);
    if (const AccessRecord* other = cell.history.add(access, mask, now)) {
      return {Fault::race, *other};
    }
    if (access != Access::write && (cell.written & mask) != mask) return {Fault::uninitialized};
    if (access == Access::read) continue;
    cell.written |= mask;
    cell.written_by_thread = true;
    cell.writer = now.thread;
    cell.fences = now.async_fences;
  }
  return {};
}

void SharedMemoryWatch::filled_by_copy(size_t offset, size_t bytes) {
  for (size_t word = offset / 4; word * 4 < offset + bytes; ++word) {
    cells_[word].written_by_thread = false;
  }
}

}  // namespace gestalt::simt
