#pragma once

// Top-K's selection, for topk.cu and topk_mean_replace.cu; made for each key and element type in
// topk_KEY_TYPE.cu (topk_launch.h).

#include "kernels/context.h"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// x: dense [N,C,H,W], not empty. Every row gets its own selection of the k largest keys. Returns
// false where y has not been written, since the key replaces by the mean and the row was never in
// one place: the mask has.
template <class Key, class T>
bool launch_topk(Context& context, const char* name, const View& x, int64_t k,
                 const TopKOutput<T>& output, const TopKPrologue<T>& prologue = {});

// Whether it takes the context's workspace for x.
template <class Key, class T>
bool topk_takes_workspace(Context& context, const View& x);

}  // namespace GESTALT_CUDA_NAMESPACE
