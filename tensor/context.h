#pragma once

// The default contexts and the default device; kernels/threads.h has the number of threads.

#include "kernels/context.h"
#include "kernels/threads.h"
#include "kernels/types.h"

namespace gestalt {

// The context of `device`: one a thread on the CPU, one a device on CUDA (used by one thread at a
// time). Made when first asked for; throws Error where the backend was not built or has no device.
Context& context(Device device);

// Whether `device` can be used on this machine with this build.
bool is_available(Device device);

// The exact mode of context(device) is `exact` as long as this object is around, then what it was.
class ExactGuard {
 public:
  ExactGuard(Device device, bool exact) : context_(context(device)), before_(context_.exact()) {
    context_.set_exact(exact);
  }
  ~ExactGuard() { context_.set_exact(before_); }
  ExactGuard(const ExactGuard&) = delete;
  ExactGuard& operator=(const ExactGuard&) = delete;

 private:
  Context& context_;
  bool before_;
};

Device default_device();
void set_default_device(Device device);

// Waits until everything queued on `device` is done.
void synchronize(Device device);

}  // namespace gestalt
