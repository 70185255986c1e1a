#include "tests/simt/access_hooks.h"

#include <pthread.h>

#include "tests/simt/executor.h"

// The limits of the program's own static data, from the linker.
extern "C" const char __executable_start, _end;

namespace gestalt::simt {

thread_local DeviceCode device_code;

namespace {

// The stack of this thread of the host, where the arguments of a launch lie.
struct HostStack {
  uintptr_t begin = 0, end = 0;

  HostStack() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* lowest = nullptr;
    size_t bytes = 0;
    pthread_attr_getstack(&attributes, &lowest, &bytes);
    pthread_attr_destroy(&attributes);
    begin = reinterpret_cast<uintptr_t>(lowest);
    end = begin + bytes;
  }
};

bool is_private(uintptr_t address) {
  if (address - device_code.stack_begin < device_code.stack_end - device_code.stack_begin) {
    return true;
  }
  const auto begin = reinterpret_cast<uintptr_t>(&__executable_start);
  if (address - begin < reinterpret_cast<uintptr_t>(&_end) - begin) return true;
  static thread_local const HostStack host;
  return address - host.begin < host.end - host.begin;
}

inline void accessed(const void* pointer, size_t bytes, size_t alignment, Access access) {
  if (!device_code.running) return;
  const OutsideDeviceCode outside;
  if (is_private(reinterpret_cast<uintptr_t>(pointer))) return;
  global_access(pointer, bytes, alignment, access);
}

}  // namespace

bool has_access_hooks() {
#ifdef GESTALT_SIMT_ACCESS_HOOKS
  return true;
#else
  return false;
#endif
}

}  // namespace gestalt::simt

// What the compiler takes to be aligned is one instruction on a GPU, and an error where it is not;
// from what it knows not to be aligned, and from a range, nvcc makes several.
#define GESTALT_HOOKS(BYTES)                                                      \
  void __tsan_read##BYTES(void* pointer) {                                        \
    gestalt::simt::accessed(pointer, BYTES, BYTES, gestalt::simt::Access::read);  \
  }                                                                               \
  void __tsan_write##BYTES(void* pointer) {                                       \
    gestalt::simt::accessed(pointer, BYTES, BYTES, gestalt::simt::Access::write); \
  }                                                                               \
  void __tsan_unaligned_read##BYTES(void* pointer) {                              \
    gestalt::simt::accessed(pointer, BYTES, 1, gestalt::simt::Access::read);      \
  }                                                                               \
  void __tsan_unaligned_write##BYTES(void* pointer) {                             \
    gestalt::simt::accessed(pointer, BYTES, 1, gestalt::simt::Access::write);     \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
GESTALT_HOOKS(1)
GESTALT_HOOKS(2)
GESTALT_HOOKS(4)
GESTALT_HOOKS(8)
GESTALT_HOOKS(16)
void __tsan_read_range(void* pointer, unsigned long bytes) {
  gestalt::simt::accessed(pointer, bytes, 1, gestalt::simt::Access::read);
}
void __tsan_write_range(void* pointer, unsigned long bytes) {
  gestalt::simt::accessed(pointer, bytes, 1, gestalt::simt::Access::write);
}

// Atomics of the host's code in the same files (std::shared_ptr): done, and not watched.
#define GESTALT_ATOMIC_FETCH(BITS, TYPE, NAME)                              \
  TYPE __tsan_atomic##BITS##_fetch_##NAME(TYPE* pointer, TYPE value, int) { \
    return __atomic_fetch_##NAME(pointer, value, __ATOMIC_SEQ_CST);         \
  }
#define GESTALT_ATOMIC_EXCHANGE(BITS, TYPE, NAME)                                              \
  int __tsan_atomic##BITS##_compare_exchange_##NAME(TYPE* pointer, TYPE* expected, TYPE value, \
                                                    int, int) {                                \
    return __atomic_compare_exchange_n(pointer, expected, value, false, __ATOMIC_SEQ_CST,      \
                                       __ATOMIC_SEQ_CST);                                      \
  }
#define GESTALT_ATOMICS(BITS, TYPE)                                     \
  TYPE __tsan_atomic##BITS##_load(const TYPE* pointer, int) {           \
    return __atomic_load_n(pointer, __ATOMIC_SEQ_CST);                  \
  }                                                                     \
  void __tsan_atomic##BITS##_store(TYPE* pointer, TYPE value, int) {    \
    __atomic_store_n(pointer, value, __ATOMIC_SEQ_CST);                 \
  }                                                                     \
  TYPE __tsan_atomic##BITS##_exchange(TYPE* pointer, TYPE value, int) { \
    return __atomic_exchange_n(pointer, value, __ATOMIC_SEQ_CST);       \
  }                                                                     \
  GESTALT_ATOMIC_FETCH(BITS, TYPE, add)                                 \
  GESTALT_ATOMIC_FETCH(BITS, TYPE, sub)                                 \
  GESTALT_ATOMIC_FETCH(BITS, TYPE, and)                                 \
  GESTALT_ATOMIC_FETCH(BITS, TYPE, or)                                  \
  GESTALT_ATOMIC_FETCH(BITS, TYPE, xor)                                 \
  GESTALT_ATOMIC_EXCHANGE(BITS, TYPE, strong)                           \
  GESTALT_ATOMIC_EXCHANGE(BITS, TYPE, weak)
GESTALT_ATOMICS(8, uint8_t)
GESTALT_ATOMICS(16, uint16_t)
GESTALT_ATOMICS(32, uint32_t)
GESTALT_ATOMICS(64, uint64_t)

}  // extern "C"
