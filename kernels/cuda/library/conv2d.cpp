// Convolution and its gradients by cuDNN (conv2d_plan.cpp chooses the algorithms).

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/conv2d_plan.h"

namespace gestalt::cuda {
namespace {

View images(const View& view, int64_t begin, int64_t count) {
  View part = view;
  part.shape[0] = count;
  part.data = view.as<char>() + begin * view.strides[0] * size_of(view.dtype);
  return part;
}

// In parts of the batch that cuDNN's 32-bit offsets can reach; the weights are shared by all parts,
// and their gradient is the parts' sum.
template <class Direction>
void run(Context& context, const View& x, const View& w, const View& y, const Conv2dDesc& desc) {
  const cudnnHandle_t handle = cudnn_handle(context);
  constexpr bool sums = std::is_same_v<Direction, convolution::BackwardWeights>;
  const int64_t largest = std::max(x.numel(), y.numel()) / x.shape[0];
  const int64_t most = std::numeric_limits<int>::max() / std::max<int64_t>(largest, 1);
  GESTALT_CHECK(most > 0, "[{}] one image of {} elements is more than cuDNN takes", Direction::name,
                largest);
  for (int64_t begin = 0; begin < x.shape[0]; begin += most) {
    const int64_t count = std::min(most, x.shape[0] - begin);
    const View part_x = images(x, begin, count), part_y = images(y, begin, count);
    const convolution::Plan& plan = convolution::plan_for<Direction>(
        context, convolution::make_problem(context, Direction::name, part_x, w, part_y, desc));
    void* workspace = plan.workspace_bytes > 0 ? context.workspace(plan.workspace_bytes) : nullptr;
    check(Direction::run(handle, plan, workspace, part_x.data, w.data, part_y.data,
                         sums && begin > 0 ? &convolution::one : &convolution::zero),
          Direction::name);
  }
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  if (y.numel() == 0) return;
  run<convolution::Forward>(context, x, w, y, desc);
  if (desc.topk) {
    relu_topk_forward(context, y, bias, y, *desc.topk);
  } else if (bias != nullptr || desc.activation != Activation::none) {
    add_bias_and_activate(context, bias, desc.activation, y);
  }
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  if (dx.numel() == 0) return;
  run<convolution::BackwardData>(context, dx, w, dy, desc);
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  if (dw.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dw);
    return;
  }
  run<convolution::BackwardWeights>(context, x, dw, dy, desc);
}

}  // namespace gestalt::cuda
