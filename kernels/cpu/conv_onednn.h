#pragma once

// Direct convolution in f32 by oneDNN, for dense views. oneDNN cuts a convolution by the number of
// threads, and with the cut goes the order of sums; so here the work is cut into pieces by the
// shapes alone, a single-threaded plan each.

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

// Forward and the gradient to the data are cut by images, and large images by rows or channels: an
// image's bits don't depend on the others of its batch. The gradient to the weights is cut by
// output channels.
void conv2d_forward_onednn(Context& context, const View& x, const View& w, const View* bias,
                           const View& y, const Conv2dDesc& desc);
void conv2d_backward_data_onednn(Context& context, const View& dy, const View& w, const View& dx,
                                 const Conv2dDesc& desc);
void conv2d_backward_weights_onednn(Context& context, const View& dy, const View& x, const View& dw,
                                    const Conv2dDesc& desc);

}  // namespace gestalt::cpu
