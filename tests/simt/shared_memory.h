#pragma once

// The shared memory of one block, watched: bounds, reads of bytes never written, and races.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/simt/happens_before.h"

namespace gestalt::simt {

class SharedMemoryWatch {
 public:
  // What is wrong with an access; `other` is the second thread of a race.
  enum class Fault : uint8_t { none, bounds, uninitialized, race };
  struct Verdict {
    Fault fault = Fault::none;
    AccessRecord other{};
  };

  void begin_launch(size_t bytes);
  void begin_block();

  Verdict access(size_t offset, size_t bytes, Access access, const ThreadClock& now);

  // An asynchronous copy fills the bytes, or reads them: of both, what threads wrote there before
  // must have been fenced. The number of a thread that has not since its write, or -1.
  template <class Fences>  // fences(thread): how many the thread has made
  int unfenced_writer(size_t offset, size_t bytes, const Fences& fences) const {
    for (size_t word = offset / 4; word * 4 < offset + bytes; ++word) {
      const Cell& cell = cells_[word];
      if (cell.written_by_thread && fences(cell.writer) == cell.fences) return cell.writer;
    }
    return -1;
  }
  void filled_by_copy(size_t offset, size_t bytes);

  char* data() { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Cell {
    WordHistory history;
    uint8_t written = 0;  // bytes of the word, in this block
    bool written_by_thread = false;
    uint16_t writer = 0;
    uint32_t fences = 0;  // of the writer, when it wrote
  };

  struct Free {
    void operator()(char* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<char, Free> data_;
  size_t bytes_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace gestalt::simt
