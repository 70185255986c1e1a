#pragma once

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// y = (dy + dy^T) / 2, of each matrix of dy[B,R,R]; y contiguous, of dy's dtype.
void gram_symmetrize(Context& context, const View& dy, const View& y);

}  // namespace GESTALT_CUDA_NAMESPACE
