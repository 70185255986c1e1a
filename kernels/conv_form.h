#pragma once

// What a convolution's form, its weights' shape and its descriptor, says of how it is computed: for
// the kernels, and for networks that choose their images' format by it.

#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt {

// Whether Winograd's algorithm may take it: square kernels of 3 and 5, stride 1. On the CPU it does
// where images are contiguous f32 of enough channels and pixels (kernels/cpu/conv.cpp).
inline bool is_for_winograd(const Shape& weight, const Conv2dDesc& desc) {
  const int64_t kernel = weight[2];
  return (kernel == 3 || kernel == 5) && weight[3] == kernel && desc.stride == Pair{1, 1} &&
         desc.dilation == Pair{1, 1} && desc.groups == 1 && desc.padding[0] < kernel &&
         desc.padding[1] < kernel;
}

}  // namespace gestalt
