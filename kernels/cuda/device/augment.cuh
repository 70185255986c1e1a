#pragma once

// Augmentation of images [N, C, H, W]: colours, translation, cutout. Ops of image.cuh.
//
// Floor: every element is read and written once; the colours of a pixel are read C times, which the
// caches answer.

#include <cstdint>

#include "kernels/cuda/device/image.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// A value a picture, or two of them.
template <class T>
struct PerImage {
  const T* data;
  int64_t stride_n, stride;

  explicit PerImage(const View& view)
      : data(view.as<const T>()),
        stride_n(view.strides[0]),
        stride(view.rank() > 1 ? view.strides[1] : 0) {}

  __device__ T operator()(int n, int i = 0) const { return data[n * stride_n + i * stride]; }
};

template <class T>
struct AdjustColor {
  Image<T> x;
  PerImage<float> brightness, saturation, contrast;
  bool brighten;
  PerImage<T> mean;

  __device__ float operator()(int n, int c, int h, int w) const {
    const float saturate = saturation(n), strength = contrast(n);
    float sum = 0;
    for (int i = 0; i < x.c; ++i) sum += load(x.plane(n, i)[x.offset(h, w)]);
    const float of_image = (1 - strength) * load(mean(n)) + (brighten ? brightness(n) : 0.0f);
    return strength * saturate * load(x.plane(n, c)[x.offset(h, w)]) +
           (strength * (1 - saturate) / static_cast<float>(x.c) * sum + of_image);
  }
};

// x moved by sign * offsets; 0 comes in from outside.
template <class T>
struct Translate {
  Image<T> x;
  PerImage<int64_t> offsets;
  int sign;

  __device__ float operator()(int n, int c, int h, int w) const {
    const int64_t row = h + sign * offsets(n, 0), column = w + sign * offsets(n, 1);
    if (row < 0 || row >= x.h || column < 0 || column >= x.w) return 0;
    return load(x.plane(n, c)[x.offset(static_cast<int>(row), static_cast<int>(column))]);
  }
};

template <class T>
struct Cutout {
  Image<T> x;
  PerImage<int64_t> corners;
  int64_t height, width;

  __device__ float operator()(int n, int c, int h, int w) const {
    const int64_t row = h - corners(n, 0), column = w - corners(n, 1);
    if (row >= 0 && row < height && column >= 0 && column < width) return 0;
    return load(x.plane(n, c)[x.offset(h, w)]);
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
