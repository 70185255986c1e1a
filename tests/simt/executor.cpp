#include "tests/simt/executor.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "tests/simt/device_language.h"
#include "tests/simt/fiber.h"
#include "tests/simt/shared_memory.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace gestalt::simt {
namespace {

std::string to_string(const dim3& position) {
  return format("({},{},{})", position.x, position.y, position.z);
}

std::string to_string(const std::source_location& where) {
  const std::string file = where.file_name();
  return format("{}:{}", file.substr(file.rfind('/') + 1), where.line());
}

std::string hexadecimal(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

const char* name_of(WarpOperation operation) {
  constexpr const char* names[] = {"__syncwarp", "shuffle", "vote", "match"};
  return names[static_cast<int>(operation)];
}

uint64_t first_seed() {
  const char* text = std::getenv("GESTALT_SIMT_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

enum class State : uint8_t { ready, in_barrier, in_warp_operation, exited };

struct Thread {
  Fiber fiber;
  State state = State::ready;
  dim3 index;
  std::source_location where;  // of what it waits for
  bool predicate = false;      // barrier
  WarpOperation operation = WarpOperation::sync;
  uint32_t mask = 0;
  uint64_t value = 0;
  int source = 0;
  uint64_t result = 0;  // of the last barrier or warp operation
  LaneClocks clocks;
};

class Executor {
 public:
  static Executor& instance() {
    static Executor executor;
    return executor;
  }

  void set_seed(uint64_t seed) {
    const std::lock_guard lock(mutex_);
    seed_ = seed;
    random_.seed(seed);
  }

  void run(const Launch& launch, ThreadBody body, const void* closure);

  uint64_t block_barrier(bool predicate, std::source_location where);
  uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source,
                          std::source_location where);
  void maybe_yield();
  [[noreturn]] void fail(const std::string& reason) { fail_at(current_, reason); }
  void* shared_access(size_t offset, size_t bytes, Access access);
  size_t shared_bytes() const { return shared_.bytes(); }
  int current() const { return current_; }

 private:
  Thread& self() { return threads_[current_]; }
  int count() const { return static_cast<int>(threads_.size()); }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  void check_limits(const Launch& launch);
  void run_block();
  void run_thread();
  static void entry();
  void wait(State state);
  void wake(Thread& thread);
  bool complete_warp_operation();
  [[noreturn]] void explain_deadlock();
  [[noreturn]] void fail_at(int thread, const std::string& reason) const;

  std::mutex mutex_;
  uint64_t seed_ = first_seed();
  std::mt19937_64 random_{seed_};

  Launch launch_{};
  ThreadBody body_ = nullptr;
  const void* closure_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<int> ready_;
  std::vector<std::unique_ptr<FiberStack>> stacks_;
  int current_ = 0;
  int in_barrier_ = 0;
  int exited_ = 0;
  std::exception_ptr error_;
  SharedMemoryWatch shared_;
};

void Executor::fail_at(int thread, const std::string& reason) const {
  throw Error(format("[{}] block {} thread {}: {} (GESTALT_SIMT_SEED={})", launch_.kernel,
                     to_string(blockIdx), to_string(threads_[thread].index), reason, seed_));
}

void Executor::check_limits(const Launch& launch) {
  const dim3 &grid = launch.grid, &block = launch.block;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  GESTALT_CHECK(threads >= 1 && threads <= 1024 && block.z <= 64,
                "[{}] a block has 1 to 1024 threads, got {}", launch.kernel, to_string(block));
  GESTALT_CHECK(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535,
                "[{}] grid {} is larger than a GPU takes", launch.kernel, to_string(grid));
  GESTALT_CHECK(launch.shared_bytes <= 227 * 1024,
                "[{}] a block has at most 227 KB of shared memory, asked for {} bytes",
                launch.kernel, launch.shared_bytes);
}

void Executor::run(const Launch& launch, ThreadBody body, const void* closure) {
  const std::lock_guard lock(mutex_);
  check_limits(launch);
  launch_ = launch;
  body_ = body;
  closure_ = closure;
  blockDim = launch.block;
  gridDim = launch.grid;
  threads_ = std::vector<Thread>(size_t{blockDim.x} * blockDim.y * blockDim.z);
  for (int i = 0; i < count(); ++i) {
    const unsigned rest = i / blockDim.x;
    threads_[i].index = dim3(i % blockDim.x, rest % blockDim.y, rest / blockDim.y);
  }
  shared_.begin_launch(launch.shared_bytes);

  std::vector<uint64_t> blocks(uint64_t{gridDim.x} * gridDim.y * gridDim.z);
  std::iota(blocks.begin(), blocks.end(), uint64_t{0});
  std::shuffle(blocks.begin(), blocks.end(), random_);
  for (const uint64_t block : blocks) {
    const uint64_t rest = block / gridDim.x;
    blockIdx =
        dim3(static_cast<unsigned>(block % gridDim.x), static_cast<unsigned>(rest % gridDim.y),
             static_cast<unsigned>(rest / gridDim.y));
    run_block();
  }
}

void Executor::run_block() {
  shared_.begin_block();
  in_barrier_ = exited_ = 0;
  error_ = nullptr;
  ready_.resize(threads_.size());
  std::iota(ready_.begin(), ready_.end(), 0);
  for (Thread& thread : threads_) {
    thread.state = State::ready;
    thread.clocks.reset();
  }
  while (exited_ < count()) {
    if (ready_.empty()) explain_deadlock();
    const uint32_t pick = below(static_cast<uint32_t>(ready_.size()));
    current_ = ready_[pick];
    ready_[pick] = ready_.back();
    ready_.pop_back();
    run_thread();
    if (error_) {  // the other threads are left where they stand
      for (Thread& thread : threads_) {
        if (thread.fiber.started()) stacks_.push_back(thread.fiber.take_stack());
      }
      std::rethrow_exception(error_);
    }
  }
}

void Executor::run_thread() {
  Thread& thread = self();
  if (!thread.fiber.started()) {
    if (stacks_.empty()) stacks_.push_back(std::make_unique<FiberStack>());
    thread.fiber.start(std::move(stacks_.back()), &Executor::entry);
    stacks_.pop_back();
  }
  threadIdx = thread.index;
  thread.fiber.enter();
  if (thread.state == State::exited) stacks_.push_back(thread.fiber.take_stack());
}

void Executor::entry() {
  Executor& executor = instance();
  Thread& thread = executor.self();
  thread.fiber.arrived();
  try {
    executor.body_(executor.closure_);
  } catch (...) {
    executor.error_ = std::current_exception();
  }
  thread.state = State::exited;
  ++executor.exited_;
  thread.fiber.leave(true);
}

void Executor::wait(State state) {
  self().state = state;
  self().fiber.leave();
}

void Executor::wake(Thread& thread) {
  thread.state = State::ready;
  ready_.push_back(static_cast<int>(&thread - threads_.data()));
}

void Executor::maybe_yield() {
  if (ready_.empty() || below(4) != 0) return;
  wake(self());
  self().fiber.leave();
}

uint64_t Executor::block_barrier(bool predicate, std::source_location where) {
  Thread& thread = self();
  thread.where = where;
  thread.predicate = predicate;
  if (++in_barrier_ < count()) {
    wait(State::in_barrier);
    return thread.result;
  }
  uint64_t predicates = 0;
  for (const Thread& other : threads_) {
    predicates += other.predicate;
    if (other.where.line() != where.line() ||
        std::strcmp(other.where.file_name(), where.file_name()) != 0) {
      fail(format("threads of the block stand at different barriers: {} here, {} in thread {}",
                  to_string(where), to_string(other.where), to_string(other.index)));
    }
  }
  in_barrier_ = 0;
  shared_.next_epoch();
  for (Thread& other : threads_) {
    other.result = predicates;
    if (&other != &thread) wake(other);
  }
  maybe_yield();
  return thread.result;
}

uint64_t Executor::warp_operation(WarpOperation operation, uint32_t mask, uint64_t value,
                                  int source, std::source_location where) {
  Thread& thread = self();
  const int lane = current_ % 32;
  if ((mask >> lane & 1) == 0) {
    fail(format("{} at {}: the mask {} lacks the lane itself", name_of(operation), to_string(where),
                hexadecimal(mask)));
  }
  thread.operation = operation;
  thread.mask = mask;
  thread.value = value;
  thread.source = source;
  thread.where = where;
  thread.state = State::in_warp_operation;
  if (complete_warp_operation()) {
    maybe_yield();
  } else {
    wait(State::in_warp_operation);
  }
  return thread.result;
}

// Completes the current thread's operation if all lanes of its mask have arrived.
bool Executor::complete_warp_operation() {
  Thread& thread = self();
  const int warp = current_ / 32 * 32;
  Thread* lanes[32];
  int numbers[32];
  int size = 0;
  for (int i = 0; i < 32; ++i) {
    if ((thread.mask >> i & 1) == 0) continue;
    if (warp + i >= count() || threads_[warp + i].state == State::exited) {
      fail(format("{} at {}: lane {} of the mask {} {}", name_of(thread.operation),
                  to_string(thread.where), i, hexadecimal(thread.mask),
                  warp + i >= count() ? "does not exist" : "has exited"));
    }
    Thread& other = threads_[warp + i];
    if (other.state != State::in_warp_operation) return false;
    if (other.mask != thread.mask || other.operation != thread.operation ||
        other.where.line() != thread.where.line()) {
      fail(format("{} at {} with the mask {}, but lane {} is in a {} at {} with the mask {}",
                  name_of(thread.operation), to_string(thread.where), hexadecimal(thread.mask), i,
                  name_of(other.operation), to_string(other.where), hexadecimal(other.mask)));
    }
    lanes[size] = &other;
    numbers[size++] = i;
  }
  for (int i = 0; i < size; ++i) {
    Thread& lane = *lanes[i];
    if (lane.operation == WarpOperation::shuffle) {
      if ((lane.mask >> lane.source & 1) == 0) {
        fail_at(warp + numbers[i],
                format("shuffle at {} reads from lane {}, outside the mask {}",
                       to_string(lane.where), lane.source, hexadecimal(lane.mask)));
      }
      lane.result = threads_[warp + lane.source].value;
      continue;
    }
    lane.result = 0;
    for (int k = 0; k < size; ++k) {
      const bool bit = lane.operation == WarpOperation::match ? lanes[k]->value == lane.value
                                                              : lanes[k]->value != 0;
      lane.result |= static_cast<uint64_t>(bit) << numbers[k];
    }
  }
  if (thread.operation == WarpOperation::sync) {
    LaneClocks* clocks[32];
    for (int i = 0; i < size; ++i) clocks[i] = &lanes[i]->clocks;
    LaneClocks::join({clocks, static_cast<size_t>(size)}, {numbers, static_cast<size_t>(size)});
  }
  for (int i = 0; i < size; ++i) {
    if (lanes[i] != &thread) wake(*lanes[i]);
  }
  thread.state = State::ready;
  return true;
}

// No thread can run: says what the first waiting one waits for, and for whom.
void Executor::explain_deadlock() {
  const auto is_waiting = [](const Thread& thread) { return thread.state != State::exited; };
  const int first = static_cast<int>(std::find_if(threads_.begin(), threads_.end(), is_waiting) -
                                     threads_.begin());
  const Thread& thread = threads_[first];
  std::string reason;
  for (int i = 0; i < count() && reason.empty(); ++i) {
    const Thread& other = threads_[i];
    const bool barrier = thread.state == State::in_barrier;
    const bool wanted = barrier || (i / 32 == first / 32 && (thread.mask >> i % 32 & 1) != 0);
    if (!wanted || other.state == thread.state) continue;
    const std::string what =
        barrier ? std::string("__syncthreads") : std::string(name_of(thread.operation));
    const std::string elsewhere = other.state == State::exited
                                      ? std::string("has exited")
                                      : format("waits at {}", to_string(other.where));
    reason = format("waits in {} at {} for thread {}, which {}", what, to_string(thread.where),
                    to_string(other.index), elsewhere);
  }
  if (reason.empty()) reason = format("waits forever at {}", to_string(thread.where));
  for (Thread& other : threads_) {
    if (other.fiber.started()) stacks_.push_back(other.fiber.take_stack());
  }
  fail_at(first, reason);
}

void* Executor::shared_access(size_t offset, size_t bytes, Access access) {
  const auto verdict = shared_.access(offset, bytes, access, current_, self().clocks);
  if (verdict.fault == SharedMemoryWatch::Fault::none) return shared_.data() + offset;
  constexpr const char* verbs[] = {"reads", "writes", "atomically changes"};
  const std::string what = format("{} {} bytes of shared memory at byte {}",
                                  verbs[static_cast<int>(access)], bytes, offset);
  switch (verdict.fault) {
    case SharedMemoryWatch::Fault::bounds:
      fail(format("{}, out of bounds: the block has {}", what, shared_.bytes()));
    case SharedMemoryWatch::Fault::uninitialized:
      fail(format("{}, which nobody wrote", what));
    default:
      fail(format("{}, a race with thread {}", what, to_string(threads_[verdict.other].index)));
  }
}

}  // namespace

void run_threads(const Launch& launch, ThreadBody body, const void* closure) {
  Executor::instance().run(launch, body, closure);
}

void set_seed(uint64_t seed) {
  Executor::instance().set_seed(seed);
}

int block_barrier(bool predicate, std::source_location where) {
  return static_cast<int>(Executor::instance().block_barrier(predicate, where));
}

uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source,
                        std::source_location where) {
  return Executor::instance().warp_operation(operation, mask, value, source, where);
}

int lane() {
  return Executor::instance().current() % 32;
}

void maybe_yield() {
  Executor::instance().maybe_yield();
}

size_t shared_bytes() {
  return Executor::instance().shared_bytes();
}

void* shared_access(size_t offset, size_t bytes, Access access) {
  return Executor::instance().shared_access(offset, bytes, access);
}

void fail(const char* pattern, long long a, long long b) {
  Executor::instance().fail(format(pattern, a, b));
}

}  // namespace gestalt::simt
