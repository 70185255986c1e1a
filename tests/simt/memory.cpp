// Memory under the executor: each access of a thread or a bulk copy is checked.

#include "kernels/error.h"
#include "tests/simt/executor_state.h"

namespace gestalt::simt {
namespace {

const char* verb_of(Access access) {
  constexpr const char* verbs[] = {"reads", "writes", "atomically changes"};
  return verbs[static_cast<int>(access)];
}

}  // namespace

void* Executor::shared_access(size_t offset, size_t bytes, Access access, int rank) {
  Thread& thread = self();
  const bool own = rank < 0 || rank == thread.block;
  Block& block = own ? this->block() : blocks_[static_cast<size_t>(rank)];
  const auto what = [&] {
    return format("{} {} bytes of shared memory{} at byte {}", verb_of(access), bytes,
                  own ? std::string() : " of block " + to_string(block.index), offset);
  };
  if (!own) {
    if (block.exited == block_threads_) fail(format("{}, which has exited", what()));
    if (thread.clock.cluster_waits == 0) {
      fail(format("{} before a cluster barrier: the block need not have begun", what()));
    }
  }
  const SharedMemoryWatch::Verdict verdict =
      block.shared.access(offset, bytes, access, thread.clock);
  using enum SharedMemoryWatch::Fault;
  if (verdict.fault == bounds) {
    fail(format("{}, out of bounds: the block has {}", what(), block.shared.bytes()));
  }
  if (verdict.fault == uninitialized) fail(format("{}, which nobody wrote", what()));
  if (verdict.fault == race) {
    fail(format("{}, a race with {}", what(), name_of(thread_of_number(verdict.other.thread))));
  }
  if (!block.copies.empty()) {
    const AsyncCopies::Copy* copy =
        block.copies.disturbed(offset, bytes, access, own ? index_in_block() : -1);
    if (copy != nullptr) {
      fail(format("{}, which a bulk copy {}: it has not waited for its end", what(),
                  copy->to_shared ? "is filling" : "is reading"));
    }
  }
  if (!own && (!block.visited || thread.clock.cluster_arrivals >= block.visit_arrivals)) {
    block.visited = true;
    block.visitor = thread.clock.thread;
    block.visit_arrivals = thread.clock.cluster_arrivals;
  }
  return block.shared.data() + offset;
}

// ---- global memory ----

std::string Executor::fault_of(const void* pointer, size_t bytes, Access access) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const std::string undeclared = global_.check_declared(address, bytes, access);
  if (!undeclared.empty()) return undeclared;
  if (const AccessRecord* other = global_.add(address, bytes, access, self().clock)) {
    const int rank = other->thread / numbers_of_block;
    const Thread& thread = thread_of_number(other->thread);
    const dim3 block = index_of(other->run, rank);
    std::string name = "thread " + to_string(thread.index);
    if (other->run != runs_ || rank != self().block) name += " of block " + to_string(block);
    return "a race with " + name;
  }
  for (const Block& block : blocks_) {
    if (block.copies.empty()) continue;
    const AsyncCopies::Copy* copy =
        block.copies.disturbed(static_cast<const char*>(pointer), bytes, access,
                               &block == &this->block() ? index_in_block() : -1);
    if (copy == nullptr) continue;
    return format("which a bulk copy {}: it has not waited for its end",
                  copy->to_shared ? "is reading" : "is filling");
  }
  return {};
}

void Executor::global_access(const void* pointer, size_t bytes, size_t alignment, Access access) {
  std::string fault = fault_of(pointer, bytes, access);
  if (const size_t beyond = reinterpret_cast<uintptr_t>(pointer) % alignment; beyond != 0) {
    fault = format("misaligned: {} bytes past a multiple of {}", beyond, alignment);
  }
  if (fault.empty()) return;
  try {
    fail(format("{} {} bytes of global memory, {}", verb_of(access), bytes, fault));
  } catch (...) {  // not through the caller, which the compiler believes not to throw
    error_ = std::current_exception();
  }
  wait(State::exited);
}

// It neither reads nor races, but what lies outside was not meant.
void Executor::prefetch(const void* address) {
  ++prefetches_;
  const std::string fault =
      global_.check_declared(reinterpret_cast<uintptr_t>(address), 1, Access::read);
  if (!fault.empty()) fail(format("asks for global memory, {}", fault));
}

// ---- bulk copies ----

void Executor::finish_a_copy() {
  int on_the_way = 0;
  for (const Block& block : blocks_) on_the_way += block.copies.on_the_way();
  if (on_the_way == 0 || (!ready_.empty() && below(16) != 0)) return;
  int which = static_cast<int>(below(static_cast<uint32_t>(on_the_way)));
  size_t of = 0;
  while (which >= blocks_[of].copies.on_the_way()) which -= blocks_[of++].copies.on_the_way();
  blocks_[of].copies.finish(which);
  wake_waiting_for_copies(static_cast<int>(of));
}

void Executor::wake_waiting_for_copies(int block) {
  for (Thread* thread = begin_of(block); thread != end_of(block); ++thread) {
    if (thread->state == State::in_copy_wait) wake(*thread);
  }
}

void Executor::copy_barrier_init(size_t barrier, uint32_t arrivals) {
  shared_access(barrier, sizeof(uint64_t), Access::write, -1);
  block().copies.init_barrier(barrier, arrivals);
}

void Executor::copy_barrier_arrive(size_t barrier, uint32_t bytes) {
  shared_access(barrier, sizeof(uint64_t), Access::atomic, -1);
  block().copies.arrive(barrier, bytes);
  wake_waiting_for_copies(self().block);
  maybe_yield();
}

void Executor::copy_barrier_wait(size_t barrier, uint32_t parity, std::source_location where) {
  self().where = where;
  shared_access(barrier, sizeof(uint64_t), Access::atomic, -1);
  while (!block().copies.passed(barrier, parity)) wait(State::in_copy_wait);
  block().copies.acquire(barrier, index_in_block());
}

// What both directions demand. `access` is what the copy does to shared memory.
void Executor::check_copy(size_t shared, const void* global, size_t bytes, Access access) {
  if (shared % 16 != 0 || reinterpret_cast<uintptr_t>(global) % 16 != 0 || bytes % 16 != 0 ||
      bytes == 0) {
    fail(
        format("begins a bulk copy of {} bytes at byte {} of shared memory, or a global address, "
               "that are not multiples of 16",
               bytes, shared));
  }
  SharedMemoryWatch& memory = block().shared;
  if (shared + bytes <= memory.bytes()) {
    const int writer = memory.unfenced_writer(
        shared, bytes, [&](int thread) { return thread_of_number(thread).clock.async_fences; });
    if (writer >= 0) {
      fail(format("begins a bulk copy over shared memory that {} wrote without a fence since",
                  name_of(thread_of_number(writer))));
    }
  }
  shared_access(shared, bytes, access, -1);
  if (access == Access::write) memory.filled_by_copy(shared, bytes);
  global_access(global, bytes, 16, access == Access::write ? Access::read : Access::write);
}

void Executor::copy_to_shared(size_t to, const void* from, size_t bytes, size_t barrier) {
  check_copy(to, from, bytes, Access::write);
  block().copies.begin_to_shared(to, from, bytes, barrier, index_in_block());
  maybe_yield();
}

void Executor::copy_to_global(void* to, size_t from, size_t bytes) {
  check_copy(from, to, bytes, Access::read);
  block().copies.begin_to_global(to, from, bytes, index_in_block());
  maybe_yield();
}

void Executor::copy_wait_read(std::source_location where) {
  self().where = where;
  while (!block().copies.have_read(index_in_block())) wait(State::in_copy_wait);
}

}  // namespace gestalt::simt
