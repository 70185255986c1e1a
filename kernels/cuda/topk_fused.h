#pragma once

// Top-K behind a normalization and a ReLU, for batch_norm.cu; in topk.cu.

#include "kernels/context.h"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/descriptors.h"

namespace GESTALT_CUDA_NAMESPACE {

// Whether selection from x takes the context's workspace, so that nothing else may lie there.
bool topk_needs_workspace(Context& context, const View& x);

// y = topk(relu((x - center - remainder) * factor + shift)), each step rounded to x's dtype;
// affine: [C], on the device. x: dense [N,C,H,W], not empty.
void normalized_relu_topk(Context& context, const char* name, const View& x,
                          const TopKAffine* affine, const View& y, const TopKDesc& desc);

}  // namespace GESTALT_CUDA_NAMESPACE
