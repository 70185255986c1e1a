// batch_norm_training, batch_norm_inference, batch_norm_backward.

#include "kernels/cuda/groups.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/topk_fused.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// y = activation(affine(x) + residual) with the slope's affine map. Top-K takes the map in as it
// reads x, but where it needs the workspace for itself; `affine`: workspace for that, [C].
template <class T, class Slope>
void apply(Context& context, const char* name, const View& x, const View& center,
           const Slope& slope, const Statistic& remainder, TopKAffine* affine, const View* residual,
           const View& y, const BatchNormDesc& desc) {
  const Groups groups(x, true);
  if (affine != nullptr) {
    constexpr int threads = 128;
    const int channels = static_cast<int>(x.shape[1]);
    launch(context, name, topk_affine<Slope>, {dim3(blocks_for(channels, threads)), dim3(threads)},
           statistic(center), remainder, slope, channels, affine);
    normalized_relu_topk(context, name, x, affine, y, *desc.topk);
    return;
  }
  const Affine<T, Slope> map_x{
      x.as<const T>(), y.as<T>(), statistic(center),
      remainder,       slope,     !desc.topk && desc.activation == Activation::relu};
  if (residual != nullptr) {
    const T* added = residual->as<const T>();
    map<T>(context, name, groups, AffineSum<T, Slope>{map_x, added}, map_x.x, added);
  } else {
    map<T>(context, name, groups, map_x, map_x.x);
  }
  if (desc.topk) relu_topk_forward(context, y, nullptr, y, *desc.topk);
}

// What lies between the kernels, in the workspace.
struct Workspace {
  TopKAffine* affine = nullptr;  // [C], where Top-K takes the map in
  Statistic remainder;           // [C]
  void* fold = nullptr;          // fold_bytes
};

Workspace workspace_of(Context& context, const View& x, const BatchNormDesc& desc,
                       size_t fold_bytes) {
  const auto channels = static_cast<size_t>(x.shape[1]);
  auto* memory = static_cast<char*>(
      context.workspace(fold_bytes + channels * (sizeof(TopKAffine) + sizeof(float))));
  auto* affine = reinterpret_cast<TopKAffine*>(memory + fold_bytes);
  const bool fuses = desc.topk && !topk_needs_workspace(context, x);
  return {fuses ? affine : nullptr, {reinterpret_cast<float*>(affine + channels)}, memory};
}

}  // namespace

void batch_norm_training(Context& context, const View& x, const View& weight, const View& bias,
                         const View* residual, const View* running_mean,
                         const View* running_variance, const View& y, const View& saved_mean,
                         const View& saved_inverse_std, const BatchNormDesc& desc) {
  if (x.numel() == 0) return;
  const Groups groups(x, true);
  constexpr const char* name = "batch_norm_training";
  const Workspace workspace = workspace_of(context, x, desc, fold_bytes(groups));
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    fold<T>(context, name, groups, workspace.fold,
            BatchNormStats<T>{{x.as<const T>()},
                              static_cast<double>(groups.count),
                              desc.epsilon,
                              desc.momentum,
                              statistic(saved_mean),
                              workspace.remainder,
                              statistic(saved_inverse_std),
                              statistic(running_mean),
                              statistic(running_variance)},
            x.as<const T>());
    apply<T>(context, name, x, saved_mean,
             BatchNormSlope{statistic(weight), statistic(bias), statistic(saved_inverse_std)},
             workspace.remainder, workspace.affine, residual, y, desc);
  });
}

void batch_norm_inference(Context& context, const View& x, const View& weight, const View& bias,
                          const View* residual, const View& running_mean,
                          const View& running_variance, const View& y, const BatchNormDesc& desc) {
  if (x.numel() == 0) return;
  const Workspace workspace = desc.topk ? workspace_of(context, x, desc, 0) : Workspace{};
  constexpr const char* name = "batch_norm_inference";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    apply<T>(context, name, x, running_mean,
             BatchNormInferenceSlope{statistic(weight), statistic(bias),
                                     statistic(running_variance), desc.epsilon},
             {}, workspace.affine, residual, y, desc);
  });
}

void batch_norm_backward(Context& context, const View& dy, const View* relu_output, const View& x,
                         const View& weight, const View& saved_mean, const View& saved_inverse_std,
                         const View* dx, const View* dweight, const View* dbias) {
  const Groups groups(x, true);
  dispatch<DeviceFloatTypes>("batch_norm_backward", x, [&]<class T>(std::type_identity<T>) {
    normalized_backward<T>(
        context, "batch_norm_backward", groups,
        {dy.as<const T>(), relu_output == nullptr ? nullptr : relu_output->as<const T>(),
         x.as<const T>(), statistic(saved_mean), statistic(saved_inverse_std), true},
        weight, static_cast<double>(groups.count), dx, dbias, dweight);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
