#pragma once

// Fibers: functions with stacks of their own, switched to and from by hand.

#include <cstddef>
#include <memory>

// Elsewhere than on x86-64, ucontext switches stacks: slower, by two system calls each time.
#if defined(__x86_64__) && !defined(GESTALT_FIBER_UCONTEXT)
#define GESTALT_FIBER_ASSEMBLY 1
#else
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define GESTALT_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GESTALT_FIBER_ASAN 1
#endif
#endif

namespace gestalt::simt {

// A stack between two pages that fault.
class FiberStack {
 public:
  FiberStack();
  ~FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;

  char* begin() const { return begin_; }
  static constexpr size_t size = 256 * 1024;  // touched pages alone take memory

 private:
  char* begin_;
};

class Fiber {
 public:
  using Entry = void (*)();  // ends by calling leave(true), and never returns

  void start(std::unique_ptr<FiberStack> stack, Entry entry);
  bool started() const { return stack_ != nullptr; }
  const FiberStack& stack() const { return *stack_; }
  std::unique_ptr<FiberStack> take_stack() { return std::move(stack_); }

  // From the scheduler: runs the fiber until it leaves.
  void enter();
  // From inside the fiber: back to the scheduler. With `last`, forever.
  void leave(bool last = false);
  // The first thing that the entry calls.
  void arrived();

 private:
  std::unique_ptr<FiberStack> stack_;
#ifdef GESTALT_FIBER_ASSEMBLY
  void* pointer_ = nullptr;  // the fiber's stack pointer while it does not run
  void* scheduler_pointer_ = nullptr;
#else
  ucontext_t context_, scheduler_context_;
#endif
#ifdef GESTALT_FIBER_ASAN
  void* fake_stack_ = nullptr;
  void* scheduler_fake_stack_ = nullptr;
  const void* scheduler_begin_ = nullptr;
  size_t scheduler_size_ = 0;
#endif
};

}  // namespace gestalt::simt
