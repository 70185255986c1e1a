// Convolution and its gradients by cuDNN (conv2d_plan.cpp chooses the engines).

#include "kernels/cuda/library/conv2d_plan.h"
#include "kernels/cuda/library/convolution.h"
#include "kernels/cuda/library/handles.h"

namespace gestalt::cuda {
namespace {

auto by_cudnn(Context& context) {
  return [&context](const Conv2dProblem& problem, const Conv2dArrays& arrays) {
    const cudnnHandle_t handle = cudnn_handle(context);
    const Plan& plan = plan_for(context, problem);
    const size_t bytes = plan.workspace_bytes();
    plan.run(handle, problem, arrays, bytes > 0 ? context.workspace(bytes) : nullptr);
  };
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  conv2d_forward_by(by_cudnn(context), context, x, w, bias, y, desc);
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  conv2d_backward_data_by(by_cudnn(context), context, dy, w, dx, desc);
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  conv2d_backward_weights_by(by_cudnn(context), context, dy, x, dw, desc);
}

}  // namespace gestalt::cuda
