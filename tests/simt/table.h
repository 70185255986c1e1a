#pragma once

// simt_kernels(): the CPU's table, with every own CUDA kernel (kernels/cuda/own_kernels.h) in the
// place of the CPU's, run under the SIMT executor. For contexts of the CPU; those kernels know no
// f64, like CUDA's. While an entry runs, its kernels may access its views and the workspace alone.

#include "kernels/table.h"

namespace gestalt {

const KernelTable& simt_kernels();

}  // namespace gestalt
