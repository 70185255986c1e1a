#pragma once

// Another runtime in the place of the CUDA backend's, also where that was not built (internal to
// kernels/): what tests give the whole of the library a device with, whose default context and
// tensors find their runtime by kernels/runtime.h alone.

#include "kernels/runtime.h"

namespace gestalt {

// Before the first use of a device, and by one thread.
void set_cuda_runtime(const Runtime& runtime);

}  // namespace gestalt
