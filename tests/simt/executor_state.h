#pragma once

// The executor's insides: one object, entered by the functions of executor.h.

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/simt/async_copies.h"
#include "tests/simt/executor.h"
#include "tests/simt/fiber.h"
#include "tests/simt/global_memory.h"
#include "tests/simt/happens_before.h"
#include "tests/simt/shared_memory.h"

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace gestalt::simt {

std::string to_string(const dim3& position);
std::string to_string(const std::source_location& where);

const char* operation_name(WarpOperation operation);

enum class State : uint8_t {
  ready,
  in_barrier,
  in_cluster_barrier,
  in_warp_operation,
  in_copy_wait,
  exited
};

struct Thread {
  Fiber fiber;
  State state = State::ready;
  dim3 index;
  int block = 0;               // rank in the cluster
  std::source_location where;  // of what it waits for
  bool predicate = false;      // barrier
  WarpOperation operation = WarpOperation::sync;
  uint32_t mask = 0;
  uint64_t value = 0;
  int source = 0;
  uint64_t result = 0;  // of the last barrier or warp operation
  ThreadClock clock;
};

struct Block {
  dim3 index;
  SharedMemoryWatch shared;
  AsyncCopies copies;
  int in_barrier = 0, exited = 0;
  // The last access of another block's thread to the shared memory, by cluster barriers passed.
  bool visited = false;
  uint16_t visitor = 0;
  uint32_t visit_arrivals = 0;
};

class Executor {
 public:
  static Executor& instance();

  void set_seed(uint64_t seed);
  void set_device_properties(const DeviceProperties& properties) { properties_ = properties; }
  const DeviceProperties& device_properties() const { return properties_; }
  void run(const Launch& launch, ThreadBody body, const void* closure);

  uint64_t block_barrier(bool predicate, std::source_location where);
  void cluster_arrive(std::source_location where);
  void cluster_wait(std::source_location where);
  uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source,
                          std::source_location where);
  void maybe_yield();
  [[noreturn]] void fail(const std::string& reason) { fail_at(self(), reason); }

  void* shared_access(size_t offset, size_t bytes, Access access, int rank);
  void global_access(const void* pointer, size_t bytes, size_t alignment, Access access);
  size_t shared_bytes() const { return launch_.shared_bytes; }
  void prefetch(const void* address);
  uint64_t launches() const { return launches_; }
  uint64_t prefetches() const { return prefetches_; }
  int lane() const { return index_in_block() % 32; }
  int cluster_rank() { return self().block; }
  int cluster_size() const { return static_cast<int>(blocks_.size()); }

  void copy_barrier_init(size_t barrier, uint32_t arrivals);
  void copy_barrier_arrive(size_t barrier, uint32_t bytes);
  void copy_barrier_wait(size_t barrier, uint32_t parity, std::source_location where);
  void copy_to_shared(size_t to, const void* from, size_t bytes, size_t barrier);
  void copy_to_global(void* to, size_t from, size_t bytes);
  void copy_commit() { block().copies.commit(index_in_block()); }
  void copy_wait_read(std::source_location where);
  void async_fence() { ++self().clock.async_fences; }

 private:
  Thread& self() { return threads_[static_cast<size_t>(current_)]; }
  Block& block() { return blocks_[static_cast<size_t>(self().block)]; }
  int count() const { return static_cast<int>(threads_.size()); }
  int index_in_block() const { return current_ % block_threads_; }
  Thread* begin_of(int block) { return threads_.data() + block * block_threads_; }
  Thread* end_of(int block) { return begin_of(block) + block_threads_; }
  Thread& thread_of_number(int number) {
    return begin_of(number / numbers_of_block)[number % numbers_of_block];
  }
  std::string name_of(const Thread& other);  // from the current thread's point of view
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  void check_limits(const Launch& launch) const;
  void begin_launch();
  dim3 index_of(uint32_t run, int rank) const;
  void run_cluster();
  void run_thread();
  static void entry();
  bool go_on_with_another();
  void after_exit();
  void wait(State state);
  void wake(Thread& thread);
  bool complete_warp_operation();
  void finish_a_copy();
  void wake_waiting_for_copies(int block);
  std::string fault_of(const void* pointer, size_t bytes, Access access);
  void check_copy(size_t shared, const void* global, size_t bytes, Access access);
  bool waits_for(const Thread& thread, const Thread& other);
  [[noreturn]] void explain_deadlock();
  void release_stacks();
  [[noreturn]] void fail_at(const Thread& thread, const std::string& reason) const;

  std::mutex mutex_;
  uint64_t seed_;
  std::mt19937_64 random_;
  const bool watches_;  // global memory
  DeviceProperties properties_;

  Launch launch_{};
  uint64_t launches_ = 0, prefetches_ = 0;
  ThreadBody body_ = nullptr;
  const void* closure_ = nullptr;
  std::vector<Thread> threads_;  // of the cluster that runs, block by block
  std::deque<Block> blocks_;
  int block_threads_ = 1;
  std::vector<int> ready_;
  std::vector<std::unique_ptr<FiberStack>> stacks_;
  int current_ = 0;
  int exited_ = 0;   // threads of the cluster
  int arrived_ = 0;  // at its barrier
  uint32_t cluster_phase_ = 0;
  GlobalMemoryWatch global_;
  std::vector<uint64_t> clusters_;       // of the launch, in the order in which they run
  uint32_t runs_ = 0, runs_before_ = 0;  // clusters, in all and before this launch
  std::exception_ptr error_;

  Executor();
};

}  // namespace gestalt::simt
