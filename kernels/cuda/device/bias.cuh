#pragma once

// y = activation(y + bias[channel]), in place. Floor: y is read and written once.

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// The channel of element i is (i / inner) % channels.
struct ChannelOf {
  int64_t inner, channels;
  Divisor by_inner, by_channels;
  bool narrow;  // all numbers below 2^31

  __device__ int64_t operator()(int64_t i) const {
    if (!narrow) return i / inner % channels;
    const uint32_t plane = by_inner.divide(static_cast<uint32_t>(i));
    return plane - by_channels.divide(plane) * by_channels.divisor;
  }
};

template <class T>
__global__ void add_bias(int64_t numel, ChannelOf channel_of, const T* bias, int64_t bias_stride,
                         bool relu, T* y) {
  const int64_t i = thread_number();
  if (i >= numel) return;
  float value = load(y[i]);
  if (bias != nullptr) value += load(bias[channel_of(i) * bias_stride]);
  if (relu && value < 0) value = 0;  // NaN stays NaN
  y[i] = store<T>(value);
}

}  // namespace GESTALT_CUDA_NAMESPACE
