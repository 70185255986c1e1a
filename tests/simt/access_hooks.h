#pragma once

// Device code is compiled with -fsanitize=thread, whose calls at each access of memory come to
// access_hooks.cpp instead of to that sanitizer's library. They count while a kernel's thread runs,
// outside of the executor's own functions.

#include <cstddef>
#include <cstdint>

namespace gestalt::simt {

// Whether this thread runs device code now, and on which stack.
struct DeviceCode {
  bool running = false;
  uintptr_t stack_begin = 0, stack_end = 0;
};
extern thread_local DeviceCode device_code;

// Whether the hooks were compiled in at all: not with AddressSanitizer.
bool has_access_hooks();

// While it lives, accesses are not the kernel's.
class OutsideDeviceCode {
 public:
  OutsideDeviceCode() : before_(device_code.running) { device_code.running = false; }
  ~OutsideDeviceCode() { device_code.running = before_; }
  OutsideDeviceCode(const OutsideDeviceCode&) = delete;
  OutsideDeviceCode& operator=(const OutsideDeviceCode&) = delete;

 private:
  bool before_;
};

}  // namespace gestalt::simt
