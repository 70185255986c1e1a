#include "tests/simt/executor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/error.h"
#include "tests/simt/access_hooks.h"
#include "tests/simt/executor_state.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace gestalt::simt {

std::string to_string(const dim3& position) {
  return format("({},{},{})", position.x, position.y, position.z);
}

std::string to_string(const std::source_location& where) {
  const std::string file = where.file_name();
  return format("{}:{}", file.substr(file.rfind('/') + 1), where.line());
}

namespace {

uint64_t first_seed() {
  const char* text = std::getenv("GESTALT_SIMT_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

bool is_off(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::strcmp(value, "0") == 0;
}

}  // namespace

Executor::Executor()
    : seed_(first_seed()), random_(seed_), watches_(!is_off("GESTALT_SIMT_WATCH")) {}

Executor& Executor::instance() {
  static Executor executor;
  return executor;
}

void Executor::set_seed(uint64_t seed) {
  const std::lock_guard lock(mutex_);
  seed_ = seed;
  random_.seed(seed);
}

void Executor::fail_at(const Thread& thread, const std::string& reason) const {
  throw Error(format("[{}] block {} thread {}: {} (GESTALT_SIMT_SEED={})", launch_.kernel,
                     to_string(blocks_[static_cast<size_t>(thread.block)].index),
                     to_string(thread.index), reason, seed_));
}

std::string Executor::name_of(const Thread& other) {
  std::string name = "thread " + to_string(other.index);
  if (other.block != self().block) {
    name += " of block " + to_string(blocks_[static_cast<size_t>(other.block)].index);
  }
  return name;
}

// ---- running ----

void Executor::check_limits(const Launch& launch) const {
  const dim3 &grid = launch.grid, &block = launch.block;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  GESTALT_CHECK(threads >= 1 && threads <= 1024 && block.z <= 64,
                "[{}] a block has 1 to 1024 threads, got {}", launch.kernel, to_string(block));
  GESTALT_CHECK(grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535,
                "[{}] grid {} is larger than a GPU takes", launch.kernel, to_string(grid));
  GESTALT_CHECK(launch.shared_bytes <= properties_.shared_bytes,
                "[{}] a block has at most {} KB of shared memory, asked for {} bytes",
                launch.kernel, properties_.shared_bytes / 1024, launch.shared_bytes);
  const unsigned cluster = launch.cluster,
                 most = properties_.architecture >= 90 && properties_.has_room_for_clusters ? 8 : 1;
  GESTALT_CHECK((cluster == 1 || cluster == 2 || cluster == 4 || cluster == 8) && cluster <= most,
                "[{}] a cluster of {} blocks, where there are clusters of up to {}", launch.kernel,
                cluster, most);
  GESTALT_CHECK(grid.x % cluster == 0, "[{}] grid {} is not a multiple of clusters of {} blocks",
                launch.kernel, to_string(grid), cluster);
}

void Executor::begin_launch() {
  blockDim = launch_.block;
  gridDim = launch_.grid;
  block_threads_ = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
  threads_ = std::vector<Thread>(static_cast<size_t>(block_threads_) * launch_.cluster);
  for (int i = 0; i < count(); ++i) {
    const unsigned in_block = static_cast<unsigned>(i % block_threads_);
    const unsigned rest = in_block / blockDim.x;
    Thread& thread = threads_[static_cast<size_t>(i)];
    thread.index = dim3(in_block % blockDim.x, rest % blockDim.y, rest / blockDim.y);
    thread.block = i / block_threads_;
  }
  global_.begin_launch();
  blocks_.resize(launch_.cluster);
  for (Block& block : blocks_) block.shared.begin_launch(launch_.shared_bytes);
}

void Executor::run(const Launch& launch, ThreadBody body, const void* closure) {
  const std::lock_guard lock(mutex_);
  check_limits(launch);
  ++launches_;
  launch_ = launch;
  body_ = body;
  closure_ = closure;
  begin_launch();

  clusters_.resize(uint64_t{gridDim.x / launch.cluster} * gridDim.y * gridDim.z);
  std::iota(clusters_.begin(), clusters_.end(), uint64_t{0});
  std::shuffle(clusters_.begin(), clusters_.end(), random_);
  runs_before_ = runs_;
  while (runs_ < runs_before_ + clusters_.size()) {
    ++runs_;
    for (unsigned rank = 0; rank < launch.cluster; ++rank) {
      blocks_[rank].index = index_of(runs_, static_cast<int>(rank));
    }
    run_cluster();
  }
}

// The place in the grid of a block of the cluster that ran, in this launch, as number `run`.
dim3 Executor::index_of(uint32_t run, int rank) const {
  const unsigned columns = gridDim.x / launch_.cluster;
  const uint64_t cluster = clusters_[run - runs_before_ - 1], rest = cluster / columns;
  return dim3(
      static_cast<unsigned>(cluster % columns) * launch_.cluster + static_cast<unsigned>(rank),
      static_cast<unsigned>(rest % gridDim.y), static_cast<unsigned>(rest / gridDim.y));
}

void Executor::run_cluster() {
  arrived_ = exited_ = 0;
  cluster_phase_ = 0;
  error_ = nullptr;
  for (Block& block : blocks_) {
    block.shared.begin_block();
    block.copies.begin_block(block.shared.data(), block_threads_);
    block.in_barrier = block.exited = 0;
    block.visited = false;
  }
  ready_.resize(threads_.size());
  std::iota(ready_.begin(), ready_.end(), 0);
  for (Thread& thread : threads_) {
    thread.state = State::ready;
    const auto index = static_cast<int>(&thread - begin_of(thread.block));
    thread.clock = {.run = runs_,
                    .thread = static_cast<uint16_t>(thread.block * numbers_of_block + index)};
  }
  while (exited_ < count()) {
    finish_a_copy();
    if (ready_.empty()) explain_deadlock();
    const uint32_t pick = below(static_cast<uint32_t>(ready_.size()));
    current_ = ready_[pick];
    ready_[pick] = ready_.back();
    ready_.pop_back();
    run_thread();
    if (error_) {
      release_stacks();
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
  blockIdx = block().index;
  device_code.stack_begin = reinterpret_cast<uintptr_t>(thread.fiber.stack().begin());
  device_code.stack_end = device_code.stack_begin + FiberStack::size;
  thread.fiber.enter();
  // Maybe another thread, which went on where the first ended.
  if (self().state == State::exited) stacks_.push_back(self().fiber.take_stack());
}

// At the end of a thread: picks the next one, and gives it the fiber where it has not begun. Most
// threads of most kernels wait for nobody, and are run without a switch.
bool Executor::go_on_with_another() {
  if (ready_.empty() || error_) return false;
  for (const Block& block : blocks_) {
    if (block.copies.on_the_way() > 0) return false;
  }
  const uint32_t pick = below(static_cast<uint32_t>(ready_.size()));
  Thread& next = threads_[static_cast<size_t>(ready_[pick])];
  if (next.fiber.started()) return false;
  next.fiber = std::move(self().fiber);
  current_ = ready_[pick];
  ready_[pick] = ready_.back();
  ready_.pop_back();
  threadIdx = next.index;
  blockIdx = block().index;
  return true;
}

void Executor::entry() {
  Executor& executor = instance();
  executor.self().fiber.arrived();
  do {
    try {
      device_code.running = executor.watches_;
      executor.body_(executor.closure_);
      device_code.running = false;
      executor.after_exit();
    } catch (...) {
      device_code.running = false;
      executor.error_ = std::current_exception();
    }
    executor.self().state = State::exited;
    ++executor.exited_;
  } while (executor.go_on_with_another());
  executor.self().fiber.leave(true);
}

void Executor::after_exit() {
  Block& block = this->block();
  if (++block.exited < block_threads_) return;
  if (const AsyncCopies::Copy* copy = block.copies.unfinished()) {
    fail(format("exits, the block's last, and nobody waited for a bulk copy {} shared memory",
                copy->to_shared ? "to" : "from"));
  }
  if (block.visited && block.visit_arrivals >= self().clock.cluster_waits) {
    fail(
        format("exits, the block's last, without a cluster barrier after {} used its shared "
               "memory",
               name_of(thread_of_number(block.visitor))));
  }
}

// The threads that have not ended are left where they stand.
void Executor::release_stacks() {
  for (Thread& thread : threads_) {
    if (thread.fiber.started()) stacks_.push_back(thread.fiber.take_stack());
  }
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

// ---- barriers ----

uint64_t Executor::block_barrier(bool predicate, std::source_location where) {
  Thread& thread = self();
  Block& block = this->block();
  thread.where = where;
  thread.predicate = predicate;
  if (++block.in_barrier < block_threads_) {
    wait(State::in_barrier);
    return thread.result;
  }
  uint64_t predicates = 0;
  for (Thread* other = begin_of(thread.block); other != end_of(thread.block); ++other) {
    predicates += other->predicate;
    if (other->where.line() != where.line() ||
        std::strcmp(other->where.file_name(), where.file_name()) != 0) {
      fail(format("threads of the block stand at different barriers: {} here, {} in thread {}",
                  to_string(where), to_string(other->where), to_string(other->index)));
    }
  }
  block.in_barrier = 0;
  block.copies.share_knowledge();
  for (Thread* other = begin_of(thread.block); other != end_of(thread.block); ++other) {
    other->result = predicates;
    ++other->clock.barriers;
    if (other != &thread) wake(*other);
  }
  maybe_yield();
  return thread.result;
}

void Executor::cluster_arrive(std::source_location where) {
  Thread& thread = self();
  thread.where = where;
  if (thread.clock.cluster_arrivals != thread.clock.cluster_waits) {
    fail("arrives at the cluster's barrier twice without a wait between");
  }
  ++thread.clock.cluster_arrivals;
  if (++arrived_ == count()) {
    arrived_ = 0;
    ++cluster_phase_;
    for (Block& block : blocks_) block.copies.share_knowledge();
    for (Thread& other : threads_) {
      if (other.state == State::in_cluster_barrier) wake(other);
    }
  }
  maybe_yield();
}

void Executor::cluster_wait(std::source_location where) {
  Thread& thread = self();
  thread.where = where;
  if (thread.clock.cluster_arrivals == thread.clock.cluster_waits) {
    fail("waits at the cluster's barrier without having arrived there");
  }
  while (cluster_phase_ == thread.clock.cluster_waits) wait(State::in_cluster_barrier);
  ++thread.clock.cluster_waits;
}

// ---- deadlocks ----

// Whether `thread` waits for `other`.
bool Executor::waits_for(const Thread& thread, const Thread& other) {
  const auto index = [&](const Thread& of) { return &of - begin_of(of.block); };
  switch (thread.state) {
    case State::in_barrier:
      return other.block == thread.block && other.state != State::in_barrier;
    case State::in_cluster_barrier:
      return other.clock.cluster_arrivals == cluster_phase_;
    case State::in_warp_operation:
      return other.block == thread.block && index(other) / 32 == index(thread) / 32 &&
             (thread.mask >> index(other) % 32 & 1) != 0 && other.state != State::in_warp_operation;
    default:
      return false;
  }
}

// No thread can run: says what the first waiting one waits for, and for whom.
void Executor::explain_deadlock() {
  const Thread& thread = *std::find_if(threads_.begin(), threads_.end(),
                                       [](const Thread& of) { return of.state != State::exited; });
  const auto what = [&]() -> std::string {
    switch (thread.state) {
      case State::in_barrier:
        return "__syncthreads";
      case State::in_cluster_barrier:
        return "the cluster's barrier";
      case State::in_warp_operation:
        return operation_name(thread.operation);
      default:
        return "the wait for a copy that nobody began";
    }
  };
  current_ = static_cast<int>(&thread - threads_.data());
  std::string reason = format("waits in {} at {}", what(), to_string(thread.where));
  for (const Thread& other : threads_) {
    if (!waits_for(thread, other)) continue;
    reason += format(" for {}, which {}", name_of(other),
                     other.state == State::exited ? "has exited"
                                                  : format("waits at {}", to_string(other.where)));
    break;
  }
  release_stacks();
  fail_at(thread, reason);
}

}  // namespace gestalt::simt
