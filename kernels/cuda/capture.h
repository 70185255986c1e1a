#pragma once

// Capture into a CUDA graph, of what this thread queues on the context's stream.

#include <memory>

#include "kernels/capture.h"

namespace gestalt::cuda {

void begin_capture(Context& context);
std::unique_ptr<CapturedWork> end_capture(Context& context);

}  // namespace gestalt::cuda
