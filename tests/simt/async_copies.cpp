#include "tests/simt/async_copies.h"

#include <algorithm>
#include <cstring>

namespace gestalt::simt {

void AsyncCopies::begin_block(char* shared, int threads) {
  shared_ = shared;
  threads_ = threads;
  on_the_way_ = 0;
  copies_.clear();
  barriers_.clear();
}

AsyncCopies::Barrier& AsyncCopies::barrier(size_t place) {
  const auto found = barriers_.find(place);
  if (found == barriers_.end()) {
    fail("uses the copy barrier at byte {}, which nobody initialized",
         static_cast<long long>(place));
  }
  return found->second;
}

void AsyncCopies::init_barrier(size_t place, uint32_t arrivals) {
  if (barriers_.contains(place)) {
    fail("initializes the copy barrier at byte {} twice", static_cast<long long>(place));
  }
  barriers_[place] = {arrivals, arrivals, 0, 0};
}

void AsyncCopies::end_phase_if_complete(Barrier& barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.arrivals;
}

void AsyncCopies::arrive(size_t place, uint32_t bytes) {
  Barrier& at = barrier(place);
  --at.pending;  // of a phase that is not over, there is one at least
  at.bytes += bytes;
  end_phase_if_complete(at);
}

bool AsyncCopies::passed(size_t place, uint32_t parity) const {
  return (const_cast<AsyncCopies*>(this)->barrier(place).phase & 1) != parity;
}

void AsyncCopies::know(Copy& copy, int thread) {
  copy.known = true;
  copy.known_to[static_cast<size_t>(thread)] = true;
}

void AsyncCopies::acquire(size_t place, int thread) {
  const uint32_t phase = barrier(place).phase;
  for (Copy& copy : copies_) {
    if (copy.to_shared && copy.barrier == place && copy.phase < phase) know(copy, thread);
  }
}

void AsyncCopies::begin_to_shared(size_t to, const void* from, size_t bytes, size_t place,
                                  int thread) {
  copies_.push_back({.to_shared = true,
                     .shared = to,
                     .bytes = bytes,
                     .global = static_cast<char*>(const_cast<void*>(from)),
                     .thread = thread,
                     .barrier = place,
                     .phase = barrier(place).phase,
                     .known_to = std::vector<bool>(static_cast<size_t>(threads_))});
  ++on_the_way_;
}

void AsyncCopies::begin_to_global(void* to, size_t from, size_t bytes, int thread) {
  copies_.push_back({.to_shared = false,
                     .shared = from,
                     .bytes = bytes,
                     .global = static_cast<char*>(to),
                     .thread = thread,
                     .known_to = std::vector<bool>(static_cast<size_t>(threads_))});
  ++on_the_way_;
}

void AsyncCopies::commit(int thread) {
  for (Copy& copy : copies_) {
    if (!copy.to_shared && copy.thread == thread) copy.committed = true;
  }
}

bool AsyncCopies::have_read(int thread) {
  const auto waited_for = [&](const Copy& copy) {
    return !copy.to_shared && copy.thread == thread && copy.committed;
  };
  for (const Copy& copy : copies_) {
    if (waited_for(copy) && !copy.done) return false;
  }
  for (Copy& copy : copies_) {
    if (waited_for(copy)) know(copy, thread);
  }
  return true;
}

void AsyncCopies::share_knowledge() {
  std::erase_if(copies_, [](const Copy& copy) { return copy.known; });
}

void AsyncCopies::finish(int which) {
  for (Copy& copy : copies_) {
    if (copy.done || which-- > 0) continue;
    if (copy.to_shared) {
      std::memcpy(shared_ + copy.shared, copy.global, copy.bytes);
      Barrier& at = barrier(copy.barrier);
      at.bytes -= static_cast<int64_t>(copy.bytes);
      end_phase_if_complete(at);
    } else {
      std::memcpy(copy.global, shared_ + copy.shared, copy.bytes);
    }
    copy.done = true;
    --on_the_way_;
    return;
  }
}

const AsyncCopies::Copy* AsyncCopies::disturbed(size_t offset, size_t bytes, Access access,
                                                int thread) const {
  for (const Copy& copy : copies_) {
    if (offset >= copy.shared + copy.bytes || copy.shared >= offset + bytes) continue;
    if ((copy.to_shared || access != Access::read) && !is_known(copy, thread)) return &copy;
  }
  return nullptr;
}

const AsyncCopies::Copy* AsyncCopies::disturbed(const char* global, size_t bytes, Access access,
                                                int thread) const {
  for (const Copy& copy : copies_) {
    if (global >= copy.global + copy.bytes || copy.global >= global + bytes) continue;
    if (!copy.to_shared || (access != Access::read && !is_known(copy, thread))) return &copy;
  }
  return nullptr;
}

const AsyncCopies::Copy* AsyncCopies::unfinished() const {
  const auto found =
      std::find_if(copies_.begin(), copies_.end(), [](const Copy& copy) { return !copy.known; });
  return found == copies_.end() ? nullptr : &*found;
}

}  // namespace gestalt::simt
