#pragma once

// Convolution as plain loops: every floating type, any strides. The definition of the op, what f64
// uses, and what everything uses where no library or faster algorithm takes a case.

#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt::cpu {

void conv2d_forward_plain(const View& x, const View& w, const View* bias, const View& y,
                          const Conv2dDesc& desc);
void conv2d_backward_data_plain(const View& dy, const View& w, const View& dx,
                                const Conv2dDesc& desc);
void conv2d_backward_weights_plain(const View& dy, const View& x, const View& dw,
                                   const Conv2dDesc& desc);

}  // namespace gestalt::cpu
