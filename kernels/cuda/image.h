#pragma once

// image_op(context, name, y, op): y[n,c,h,w] = op(n, c, h, w) for a dense y of elements T.

#include "kernels/cuda/device/image.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/launch.h"

namespace GESTALT_CUDA_NAMESPACE {

template <class T, class Op>
void image_op(Context& context, const char* name, const View& y, const Op& op) {
  constexpr int threads = 256;
  launch(context, name, image_kernel<T, Op>, {dim3(blocks_for(y.numel(), threads)), dim3(threads)},
         ImageOrder(y), Image<T>(y), op);
}

}  // namespace GESTALT_CUDA_NAMESPACE
