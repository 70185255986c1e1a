#pragma once

// One thread an element of an [N, C, H, W] output: y[n,c,h,w] = op(n, c, h, w). Pooling, padding
// and resizing are such ops, and so are their gradients: they gather from the few outputs that an
// input went to, so nothing is added by atomics.

#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// An [N, C, H, W] array and its strides.
template <class T>
struct Image {
  T* data = nullptr;
  int32_t n = 0, c = 0, h = 0, w = 0;
  int64_t stride_n = 0, stride_c = 0, stride_h = 0, stride_w = 0;

  Image() = default;  // none
  explicit Image(const View& view)
      : data(view.as<T>()),
        n(static_cast<int32_t>(view.shape[0])),
        c(static_cast<int32_t>(view.shape[1])),
        h(static_cast<int32_t>(view.shape[2])),
        w(static_cast<int32_t>(view.shape[3])),
        stride_n(view.strides[0]),
        stride_c(view.strides[1]),
        stride_h(view.strides[2]),
        stride_w(view.strides[3]) {}

  __device__ bool present() const { return data != nullptr; }
  // Where the plane (n, c) begins.
  __device__ T* plane(int in, int ic) const { return data + in * stride_n + ic * stride_c; }
  __device__ int64_t offset(int ih, int iw) const { return ih * stride_h + iw * stride_w; }
};

// The elements of an image in their order in memory: n, c, h, w, or n, h, w, c.
struct ImageOrder {
  int64_t numel;
  bool channels_last;
  int64_t sizes[3];  // of the three inner dimensions, outermost first
  Divisor divisors[3];

  explicit ImageOrder(const View& view)
      : numel(view.numel()), channels_last(!view.is_contiguous() && view.is_channels_last()) {
    const int dims[2][3] = {{1, 2, 3}, {2, 3, 1}};
    for (int i = 0; i < 3; ++i) {
      sizes[i] = view.shape[dims[channels_last][i]];
      if (numel > 0 && numel <= Divisor::most)
        divisors[i] = Divisor(static_cast<uint32_t>(sizes[i]));
    }
  }

  __device__ void position(int64_t number, int& n, int& c, int& h, int& w) const {
    int at[3];
    if (numel <= Divisor::most) {
      uint32_t rest = static_cast<uint32_t>(number);
      for (int i = 2; i >= 0; --i) {
        const uint32_t quotient = divisors[i].divide(rest);
        at[i] = static_cast<int>(rest - quotient * divisors[i].divisor);
        rest = quotient;
      }
      n = static_cast<int>(rest);
    } else {
      for (int i = 2; i >= 0; --i) {
        at[i] = static_cast<int>(number % sizes[i]);
        number /= sizes[i];
      }
      n = static_cast<int>(number);
    }
    c = channels_last ? at[2] : at[0];
    h = channels_last ? at[0] : at[1];
    w = channels_last ? at[1] : at[2];
  }
};

template <class T, class Op>
__global__ void image_kernel(ImageOrder order, Image<T> y, Op op) {
  const int64_t i = thread_number();
  if (i >= order.numel) return;
  int n, c, h, w;
  order.position(i, n, c, h, w);
  y.plane(n, c)[y.offset(h, w)] = store<T>(op(n, c, h, w));
}

}  // namespace GESTALT_CUDA_NAMESPACE
