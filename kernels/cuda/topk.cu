// topk_forward, topk_backward.

#include "kernels/cuda/device/topk_mask.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/topk_select.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

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

void topk_backward(Context& context, const View& dy, const View& mask, const View& dx,
                   const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  const int64_t images = dy.shape[0], length = dy.shape[2] * dy.shape[3];
  const int64_t words = (length + 31) / 32;
  const int channels = static_cast<int>(dy.shape[1]);
  const auto config = [](int64_t warps) -> LaunchConfig {
    constexpr int64_t of_block = topk_mask_threads / warp_lanes;
    return {dim3(static_cast<unsigned>((warps + of_block - 1) / of_block)),
            dim3(topk_mask_threads)};
  };
  dispatch<DeviceFloatTypes>("topk_backward", dy, [&]<class T>(std::type_identity<T>) {
    const auto* from = dy.as<const ElementBits<T>>();
    auto* to = dx.as<ElementBits<T>>();
    if (dy.is_contiguous()) {
      launch(context, "topk_backward", topk_mask_rows<T>, config(images * channels * words), from,
             mask.as<const uint32_t>(), images * channels, static_cast<int>(length), desc.tau, to);
    } else {
      const int64_t tiles = (channels + warp_lanes - 1) / warp_lanes;
      launch(context, "topk_backward", topk_mask_channels_last<T>, config(images * tiles * words),
             from, mask.as<const uint32_t>(), images, channels, static_cast<int>(length), desc.tau,
             to);
    }
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
