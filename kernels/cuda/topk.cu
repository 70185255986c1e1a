// topk_forward, topk_backward, relu_topk_forward and what batch norm ends with: all that selects by
// magnitude, with the kernels of topk_magnitude_*.cu.

#include "kernels/cuda/device/topk_mask.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_fused.h"
#include "kernels/cuda/topk_select.h"
#include "kernels/dispatch.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

// Behind a ReLU no mask is made: the gradient passes where y is above 0.
template <class T>
void rectified_topk(Context& context, const char* name, const View& x, const View& y,
                    const TopKDesc& desc, const TopKPrologue<T>& prologue) {
  launch_topk<MagnitudeKey<T>, T>(
      context, name, x, desc.k,
      {y.as<ElementBits<T>>(), nullptr, desc.mode == TopKMode::reverse, 1.0f}, prologue);
}

}  // namespace

void topk_forward(Context& context, const View& x, const View& y, const View* mask,
                  const TopKDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<DeviceFloatTypes>("topk_forward", x, [&]<class T>(std::type_identity<T>) {
    launch_topk<MagnitudeKey<T>, T>(
        context, "topk_forward", x, desc.k,
        {y.as<ElementBits<T>>(), mask == nullptr ? nullptr : mask->as<uint32_t>(),
         desc.mode == TopKMode::reverse, desc.tau});
  });
}

void relu_topk_forward(Context& context, const View& x, const View* bias, const View& y,
                       const TopKDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<DeviceFloatTypes>("relu_topk_forward", x, [&]<class T>(std::type_identity<T>) {
    TopKPrologue<T> prologue{.rectifies = true, .channels = static_cast<int>(x.shape[1])};
    if (bias != nullptr) {
      prologue.bias = bias->as<const T>();
      prologue.bias_stride = bias->strides[0];
    }
    rectified_topk(context, "relu_topk_forward", x, y, desc, prologue);
  });
}

bool topk_needs_workspace(Context& context, const View& x) {
  bool needs = false;
  dispatch<DeviceFloatTypes>("topk", x, [&]<class T>(std::type_identity<T>) {
    needs = topk_takes_workspace<MagnitudeKey<T>, T>(context, x);
  });
  return needs;
}

void normalized_relu_topk(Context& context, const char* name, const View& x,
                          const TopKAffine* affine, const View& y, const TopKDesc& desc) {
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    rectified_topk<T>(
        context, name, x, y, desc,
        {.rectifies = true, .channels = static_cast<int>(x.shape[1]), .affine = affine});
  });
}

void topk_backward(Context& context, const View& dy, const View& mask, const View& dx,
                   const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  const int channels = static_cast<int>(dy.shape[1]);
  const auto length = static_cast<int>(dy.shape[2] * dy.shape[3]);
  const auto config = [](int64_t threads) -> LaunchConfig {
    return {dim3(blocks_for(threads, topk_mask_threads)), dim3(topk_mask_threads)};
  };
  const auto is_aligned = [](const View& view) {
    return reinterpret_cast<uintptr_t>(view.data) % 16 == 0;
  };
  constexpr const char* name = "topk_backward";
  dispatch<DeviceFloatTypes>(name, dy, [&]<class T>(std::type_identity<T>) {
    const auto* from = dy.as<const ElementBits<T>>();
    const auto* words = mask.as<const uint32_t>();
    auto* to = dx.as<ElementBits<T>>();
    constexpr int wide = topk_mask_pack<T>;
    const bool packed = is_aligned(dy) && is_aligned(dx);
    if (dy.is_contiguous()) {
      const int64_t numel = dy.numel();
      const int size = packed ? wide : 1;
      const int parts = length % size == 0 ? 1 : length % (size / 2) == 0 ? 2 : 0;
      launch(context, name, packed ? topk_mask_rows<T, wide> : topk_mask_rows<T, 1>,
             config(packed ? ceil_div(numel, wide) : numel), from, words, numel, length,
             Divisor(static_cast<uint32_t>(length)), parts, desc.tau, to);
    } else {
      const int pack = packed && channels % wide == 0 ? wide : 1;
      const int64_t tasks = dy.shape[0] * ceil_div(length, 32) * (channels / pack);
      launch(context, name,
             pack == 1 ? topk_mask_channels_last<T, 1> : topk_mask_channels_last<T, wide>,
             config(tasks), from, words, tasks, channels, length, desc.tau, to);
    }
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
