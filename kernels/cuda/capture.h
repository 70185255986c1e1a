#pragma once

// Capture into a CUDA graph, of what this thread queues on the context's stream.

#include <memory>

#include "kernels/capture.h"

namespace gestalt::cuda {

// Throws where GESTALT_SYNC asks for what no capture can do.
inline void check_nothing_waits() {
  GESTALT_CHECK(
      !synchronous_launches(),
      "[capture] GESTALT_SYNC waits for each kernel, which a captured step can't: unset it");
}

void begin_capture(Context& context);
std::unique_ptr<CapturedWork> end_capture(Context& context);

}  // namespace gestalt::cuda
