// What cuDNN's convolution leaves to us: bias and activation.

#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/device/bias.cuh"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void add_bias_and_activate(Context& context, const View* bias, Activation activation,
                           const View& y) {
  const int64_t numel = y.numel();
  if (numel == 0) return;
  const int64_t inner = y.is_contiguous() ? y.shape[2] * y.shape[3] : 1, channels = y.shape[1];
  const bool narrow = numel < (int64_t{1} << 31);
  ChannelOf channel_of{inner, channels, {}, {}, narrow};
  if (narrow) {
    channel_of.by_inner = Divisor(static_cast<uint32_t>(inner));
    channel_of.by_channels = Divisor(static_cast<uint32_t>(channels));
  }
  dispatch<DeviceFloatTypes>("conv2d_forward", y, [&]<class T>(std::type_identity<T>) {
    constexpr int threads = 256;
    launch(context, "conv2d_forward", add_bias<T>,
           {dim3(blocks_for(numel, threads)), dim3(threads)}, numel, channel_of,
           bias == nullptr ? nullptr : bias->as<const T>(), bias == nullptr ? 0 : bias->strides[0],
           activation == Activation::relu, y.as<T>());
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
