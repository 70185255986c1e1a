#pragma once

// Capture on the CPU: the context's kernel table is replaced by one that keeps each call with
// copies of its arguments. Replaying calls the kernels again, as a CUDA graph would: same
// addresses, same scalars, no host code of the step.

#include <memory>

#include "kernels/capture.h"

namespace gestalt::cpu {

void begin_capture(Context& context);
std::unique_ptr<CapturedWork> end_capture(Context& context);

}  // namespace gestalt::cpu
