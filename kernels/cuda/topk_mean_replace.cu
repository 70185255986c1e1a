// topk_mean_replace_forward, topk_mean_replace_backward: selection into a mask (topk_signed_*.cu),
// then the mean of what the mask keeps.

#include "kernels/cuda/device/topk_mask.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_select.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

template <class T>
void spread_mean(Context& context, const char* name, const View& x, const uint32_t* mask, int64_t k,
                 const View& y) {
  const int channels = static_cast<int>(x.shape[1]);
  const int64_t length = x.shape[2] * x.shape[3];
  const bool contiguous = x.is_contiguous();
  launch(context, name, topk_spread_mean<T>,
         {dim3(static_cast<unsigned>(x.shape[0] * channels)), dim3(topk_mask_threads),
          shared_size<double>(topk_mask_threads / warp_lanes)},
         x.as<const T>(), mask, channels, static_cast<int>(length), channels * length,
         contiguous ? length : 1, contiguous ? 1 : channels, k, y.as<T>());
}

}  // namespace

void topk_mean_replace_forward(Context& context, const View& x, const View& y, const View& mask,
                               const TopKDesc& desc) {
  if (x.numel() == 0) return;
  auto* bits = mask.as<uint32_t>();
  constexpr const char* name = "topk_mean_replace_forward";
  dispatch<DeviceFloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    if (!launch_topk<SignedKey<T>, T>(context, name, x, desc.k,
                                      {y.as<ElementBits<T>>(), bits, false, 1.0f})) {
      spread_mean<T>(context, name, x, bits, desc.k, y);
    }
  });
}

void topk_mean_replace_backward(Context& context, const View& dy, const View& mask, const View& dx,
                                const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  dispatch<DeviceFloatTypes>("topk_mean_replace_backward", dy, [&]<class T>(std::type_identity<T>) {
    spread_mean<T>(context, "topk_mean_replace_backward", dy, mask.as<const uint32_t>(), desc.k,
                   dx);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
