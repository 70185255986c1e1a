#pragma once

// The CUDA runtime: one stream a context, memory from the device's stream-ordered pool. Linked, it
// also starts on a machine without driver or GPU; device_count is 0 there.

#include "kernels/runtime.h"

namespace gestalt {

extern const Runtime cuda_runtime;

}  // namespace gestalt
