#include "tests/simt/fiber.h"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/error.h"

#ifdef GESTALT_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef GESTALT_FIBER_ASSEMBLY
// Saves the registers that a callee must keep and changes stacks; swapcontext would also make two
// system calls. A stack that was never entered holds six zeros and the entry's address.
extern "C" void gestalt_simt_switch(void** save, void* load);
asm(R"(
.text
.globl gestalt_simt_switch
.hidden gestalt_simt_switch
.type gestalt_simt_switch, @function
gestalt_simt_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size gestalt_simt_switch, .-gestalt_simt_switch
)");
#endif

namespace gestalt::simt {

FiberStack::FiberStack() {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* memory =
      mmap(nullptr, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  GESTALT_CHECK(memory != MAP_FAILED, "no memory for the stack of a fiber");
  begin_ = static_cast<char*>(memory) + page;
  mprotect(begin_, size, PROT_READ | PROT_WRITE);
}

FiberStack::~FiberStack() {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  munmap(begin_ - page, size + 2 * page);
}

void Fiber::start(std::unique_ptr<FiberStack> stack, Entry entry) {
  stack_ = std::move(stack);
#ifdef GESTALT_FIBER_ASAN
  // Frames that a failed launch abandoned here are still marked.
  __asan_unpoison_memory_region(stack_->begin(), FiberStack::size);
  fake_stack_ = nullptr;
#endif
#ifdef GESTALT_FIBER_ASSEMBLY
  void** top = reinterpret_cast<void**>(stack_->begin() + FiberStack::size);
  *--top = nullptr;  // in the place of the entry's return address: keeps the stack aligned
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  pointer_ = top;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_->begin();
  context_.uc_stack.ss_size = FiberStack::size;
  context_.uc_link = nullptr;
  makecontext(&context_, entry, 0);
#endif
}

void Fiber::enter() {
#ifdef GESTALT_FIBER_ASAN
  __sanitizer_start_switch_fiber(&scheduler_fake_stack_, stack_->begin(), FiberStack::size);
#endif
#ifdef GESTALT_FIBER_ASSEMBLY
  gestalt_simt_switch(&scheduler_pointer_, pointer_);
#else
  swapcontext(&scheduler_context_, &context_);
#endif
#ifdef GESTALT_FIBER_ASAN
  __sanitizer_finish_switch_fiber(scheduler_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::leave([[maybe_unused]] bool last) {
#ifdef GESTALT_FIBER_ASAN
  __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_, scheduler_begin_, scheduler_size_);
#endif
#ifdef GESTALT_FIBER_ASSEMBLY
  gestalt_simt_switch(&pointer_, scheduler_pointer_);
#else
  swapcontext(&context_, &scheduler_context_);
#endif
  arrived();
}

void Fiber::arrived() {
#ifdef GESTALT_FIBER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, &scheduler_begin_, &scheduler_size_);
#endif
}

}  // namespace gestalt::simt
