// batch_norm_training, batch_norm_inference, batch_norm_backward.

#include "kernels/cuda/groups.h"
#include "kernels/cuda/kernels.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

void activate(Context& context, const BatchNormDesc& desc, const View& y) {
  if (desc.topk) {
    relu_topk_forward(context, y, nullptr, y, *desc.topk);
  } else if (desc.activation == Activation::relu) {
    relu(context, y, y);
  }
}

}  // namespace

void batch_norm_training(Context& context, const View& x, const View& weight, const View& bias,
                         const View* running_mean, const View* running_variance, const View& y,
                         const View& saved_mean, const View& saved_inverse_std,
                         const BatchNormDesc& desc) {
  if (x.numel() == 0) return;
  const Groups groups(x, true);
  constexpr const char* name = "batch_norm_training";
  const Statistic remainder{
      static_cast<float*>(context.workspace(sizeof(float) * static_cast<size_t>(groups.groups)))};
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    fold(context, name, groups,
         BatchNormStats<T>{{x.as<const T>()},
                           static_cast<double>(groups.count),
                           desc.epsilon,
                           desc.momentum,
                           statistic(saved_mean),
                           remainder,
                           statistic(saved_inverse_std),
                           statistic(running_mean),
                           statistic(running_variance)});
    map_affine<T>(context, name, groups, x, saved_mean,
                  BatchNormSlope{statistic(weight), statistic(bias), statistic(saved_inverse_std)},
                  y, remainder);
  });
  activate(context, desc, y);
}

void batch_norm_inference(Context& context, const View& x, const View& weight, const View& bias,
                          const View& running_mean, const View& running_variance, const View& y,
                          const BatchNormDesc& desc) {
  dispatch<DeviceFloatTypes>("batch_norm_inference", x, [&]<class T>(std::type_identity<T>) {
    map_affine<T>(context, "batch_norm_inference", Groups(x, true), x, running_mean,
                  BatchNormInferenceSlope{statistic(weight), statistic(bias),
                                          statistic(running_variance), desc.epsilon},
                  y);
  });
  activate(context, desc, y);
}

void batch_norm_backward(Context& context, const View& dy, const View* passed_by, const View& x,
                         const View& weight, const View& saved_mean, const View& saved_inverse_std,
                         const View* dx, const View* dweight, const View* dbias) {
  const Groups groups(x, true);
  dispatch<DeviceFloatTypes>("batch_norm_backward", x, [&]<class T>(std::type_identity<T>) {
    normalized_backward<T>(
        context, "batch_norm_backward", groups, dy,
        Normalized<T>{x.as<const T>(), statistic(saved_mean), statistic(saved_inverse_std), true},
        weight, static_cast<double>(groups.count), dx, dbias, dweight, passed_by);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
