#pragma once

// The table entries with launchers and device code of our own: the files kernels/cuda/*.cu. Both
// kernels/cuda/table.cpp and tests/simt/table.cpp are filled from this list, so that every kernel
// named here also runs under the SIMT executor. Entries that call cuDNN, cuBLAS or CUB stand in
// kernels/cuda/library/ and in table.cpp alone.

#define GESTALT_OWN_CUDA_KERNELS(X) \
  /* memory.cu */                   \
  X(copy)                           \
  X(fill)
