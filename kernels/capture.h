#pragma once

// Capture: kernel calls of a context are captured instead of run, to be replayed as one piece.
//
// Between Runtime::begin_capture and end_capture nothing is computed. What is captured keeps the
// addresses and the host values (scalars, descriptors) of its calls. Whatever needs the host in
// between is an error: allocation, growth of the workspace, copies from or to the host, waiting.

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/context.h"
#include "kernels/error.h"

namespace gestalt {

class CapturedWork {
 public:
  CapturedWork() = default;
  virtual ~CapturedWork() = default;
  CapturedWork(const CapturedWork&) = delete;
  CapturedWork& operator=(const CapturedWork&) = delete;

  // Queues the captured calls on the context that captured them.
  virtual void replay(Context& context) = 0;
};

struct CaptureState {
  bool active = false;
  // Captured work holds the address of the workspace: one that is outgrown later stays.
  bool workspace_is_captured = false;
  std::vector<void*> outgrown_workspaces;
};

inline bool is_capturing(Context& context) {
  return context.state<CaptureState>().active;
}

// GESTALT_SYNC in the environment, other than 0: each CUDA launch is waited for, so that an error
// is the kernel's. Captured work can't be.
inline bool synchronous_launches() {
  static const bool enabled = [] {
    const char* value = std::getenv("GESTALT_SYNC");
    return value != nullptr && std::strcmp(value, "0") != 0;
  }();
  return enabled;
}

// Throws while the context captures; the pattern as in "an allocation of {} bytes".
template <class... Args>
void check_not_capturing(Context& context, std::string_view pattern, const Args&... args) {
  GESTALT_CHECK(!is_capturing(context),
                "[capture] {} inside a captured step; it must happen before the capture (in its "
                "warm-up runs) or outside the step",
                format(pattern, args...));
}

}  // namespace gestalt
