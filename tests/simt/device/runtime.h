#pragma once

// emulated_cuda_runtime: one device of DeviceType::cuda on the host, for tests of what stands above
// the kernels. Kernels of our own run under the SIMT executor, what is cuDNN's and cuBLAS's by the
// CPU's kernels; work is queued, memory is the device's own (stream.h, memory.h).
//
// install.cpp, linked into a test, puts it in the place of the backend's where the environment has
// GESTALT_EMULATED_CUDA=1.

#include "kernels/runtime.h"

namespace gestalt::simt {

extern const Runtime emulated_cuda_runtime;
extern const KernelTable emulated_cuda_kernels;

}  // namespace gestalt::simt
