// relu_topk_forward, from the kernels of its parts; what lies between them is in the workspace.

#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {

void relu_topk_forward(Context& context, const View& x, const View* bias, const View& y,
                       const TopKDesc& desc) {
  if (x.numel() == 0) return;
  View rectified = x;
  rectified.data = context.workspace(static_cast<size_t>(x.numel() * size_of(x.dtype)));
  if (bias != nullptr) {
    copy(context, x, rectified);
    add_bias_and_activate(context, bias, Activation::none, rectified);
    relu(context, rectified, rectified);
  } else {
    relu(context, x, rectified);
  }
  topk_forward(context, rectified, y, nullptr, desc);
}

}  // namespace GESTALT_CUDA_NAMESPACE
