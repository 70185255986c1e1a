#pragma once

#include <cstdint>

#include "kernels/cuda/namespace.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

// Blocks that have `work` among them, `per_block` each.
inline unsigned blocks_for(int64_t work, int64_t per_block) {
  return static_cast<unsigned>(ceil_div(work, per_block));
}

}  // namespace GESTALT_CUDA_NAMESPACE
