#pragma once

// The asynchronous copies of one block, each of which is done at a moment that nobody knows between
// its beginning and the end of the wait for it, and the barriers (mbarrier) that tell of it.

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "tests/simt/executor.h"

namespace gestalt::simt {

class AsyncCopies {
 public:
  struct Copy {
    bool to_shared;
    size_t shared, bytes;
    char* global;
    int thread;  // that began it, in its block
    size_t barrier = 0;
    uint32_t phase = 0;
    bool committed = false;  // to global memory
    bool done = false;
    std::vector<bool> known_to{};  // threads that waited for its end
    bool known = false;            // to any
  };

  // `shared` is the block's memory.
  void begin_block(char* shared, int threads);

  void init_barrier(size_t barrier, uint32_t arrivals);
  void arrive(size_t barrier, uint32_t bytes);
  // Whether the phase of the parity is over.
  bool passed(size_t barrier, uint32_t parity) const;
  // The thread has seen that it is.
  void acquire(size_t barrier, int thread);

  void begin_to_shared(size_t to, const void* from, size_t bytes, size_t barrier, int thread);
  void begin_to_global(void* to, size_t from, size_t bytes, int thread);
  void commit(int thread);
  // Whether the thread's committed copies have been read; if so, it knows.
  bool have_read(int thread);
  // A barrier of the block: what one thread knows, all know.
  void share_knowledge();

  int on_the_way() const { return on_the_way_; }
  // Ends one of them.
  void finish(int which);

  // The copy that the thread disturbs by an access to these bytes, or null. A thread of another
  // block (-1) knows nothing.
  const Copy* disturbed(size_t offset, size_t bytes, Access access, int thread) const;
  const Copy* disturbed(const char* global, size_t bytes, Access access, int thread) const;
  // A copy that nobody has waited for, or null.
  const Copy* unfinished() const;
  bool empty() const { return copies_.empty(); }

 private:
  struct Barrier {
    uint32_t arrivals = 0, pending = 0, phase = 0;
    int64_t bytes = 0;  // announced and not yet there
  };

  Barrier& barrier(size_t place);
  static void end_phase_if_complete(Barrier& barrier);
  void know(Copy& copy, int thread);
  bool is_known(const Copy& copy, int thread) const {
    return thread >= 0 && copy.known_to[static_cast<size_t>(thread)];
  }

  char* shared_ = nullptr;
  int threads_ = 0;
  int on_the_way_ = 0;
  std::vector<Copy> copies_;
  std::map<size_t, Barrier> barriers_;
};

}  // namespace gestalt::simt
