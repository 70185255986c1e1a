#pragma once

// Direct convolution in f32 by oneDNN, for dense views. Plans (with their changes of layout) are
// cached in the context, by shapes, formats, descriptor and thread count.

#include "kernels/context.h"
#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt::cpu {

// Where it is false, the functions below do not exist.
#ifdef GESTALT_WITH_ONEDNN
inline constexpr bool with_onednn = true;
#else
inline constexpr bool with_onednn = false;
#endif

// Dense f32 views with elements.
bool takes_onednn(const View& x, const View& w, const View& y);

void conv2d_forward_onednn(Context& context, const View& x, const View& w, const View* bias,
                           const View& y, const Conv2dDesc& desc);
void conv2d_backward_data_onednn(Context& context, const View& dy, const View& w, const View& dx,
                                 const Conv2dDesc& desc);
// oneDNN shares a weight gradient's sums among its threads, so here it is cut into blocks of output
// channels, a single-threaded plan each.
void conv2d_backward_weights_onednn(Context& context, const View& dy, const View& x, const View& dw,
                                    const Conv2dDesc& desc);

}  // namespace gestalt::cpu
