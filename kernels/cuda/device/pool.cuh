#pragma once

// Pooling over windows of [N, C, H, W], a thread an element; max pooling of channels-last arrays
// has faster kernels in max_pool_packs.cuh. The semantics are PyTorch's; see Pool2dDesc.
//
// Floor: x is read and y written once, window overlap meets the caches; one operation for each
// element of each window. Gradients likewise; max's reads its indices too.

#include <cstdint>
#include <limits>

#include "kernels/cuda/device/image.cuh"
#include "kernels/cuda/namespace.h"
#include "kernels/descriptors.h"

namespace GESTALT_CUDA_NAMESPACE {

struct Range {
  int begin, end;
  int padded;  // its length with the padding, but not what lies beyond that
};

// One axis of a pooling.
struct PoolAxis {
  int size, outputs;  // of x and y along it
  int kernel, stride, padding;
  Divisor by_stride;

  PoolAxis(int size, int outputs, const Pool2dDesc& desc, int axis)
      : size(size),
        outputs(outputs),
        kernel(static_cast<int>(desc.kernel[axis])),
        stride(static_cast<int>(desc.stride[axis])),
        padding(static_cast<int>(desc.padding[axis])),
        by_stride(static_cast<uint32_t>(stride)) {}

  // Where the window of output i begins, which may be in the padding.
  __device__ int first(int i) const { return i * stride - padding; }
  // The inputs that output i sees.
  __device__ Range window(int i) const {
    const int begin = first(i);
    const int end = ::min(begin + kernel, size + padding);
    return {begin > 0 ? begin : 0, ::min(end, size), end - begin};
  }
  __device__ int quotient(int i) const {
    return static_cast<int>(by_stride.divide(static_cast<uint32_t>(i)));
  }
  // The outputs that see input i.
  __device__ Range seen_by(int i) const {
    const int past = i + padding - kernel;  // outputs up to past / stride end before i
    return {past >= 0 ? quotient(past) + 1 : 0, ::min(quotient(i + padding) + 1, outputs), 0};
  }
};

// Whether a maximum is to make way for a later value: the first of equals stays, and the first NaN.
__device__ inline bool exceeds(float value, float most) {
  return !(value <= most) && most == most;
}

// Indices are places in a window, as the kernel table has them.
template <class T, class Index>
struct MaxPool {
  Image<T> x;
  Image<Index> indices;  // may be none
  PoolAxis rows, columns;

  __device__ float operator()(int n, int c, int oh, int ow) const {
    const Range h_range = rows.window(oh), w_range = columns.window(ow);
    const int first_h = rows.first(oh), first_w = columns.first(ow);
    const T* plane = x.plane(n, c);
    float most = -std::numeric_limits<float>::infinity();
    int best = (h_range.begin - first_h) * columns.kernel + w_range.begin - first_w;
    for (int h = h_range.begin; h < h_range.end; ++h) {
      for (int w = w_range.begin; w < w_range.end; ++w) {
        const float value = load(plane[x.offset(h, w)]);
        if (exceeds(value, most)) {
          most = value;
          best = (h - first_h) * columns.kernel + w - first_w;
        }
      }
    }
    if (indices.present()) {
      indices.plane(n, c)[indices.offset(oh, ow)] = static_cast<Index>(best);
    }
    return most;
  }
};

template <class T, class Index>
struct MaxPoolBackward {
  Image<T> dy;
  Image<Index> indices;
  PoolAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    const Range oh_range = rows.seen_by(h), ow_range = columns.seen_by(w);
    const T* plane = dy.plane(n, c);
    const Index* index_plane = indices.plane(n, c);
    float sum = 0;
    for (int oh = oh_range.begin; oh < oh_range.end; ++oh) {
      const int row = (h - rows.first(oh)) * columns.kernel;
      for (int ow = ow_range.begin; ow < ow_range.end; ++ow) {
        const int place = row + w - columns.first(ow);
        if (static_cast<int>(index_plane[indices.offset(oh, ow)]) == place) {
          sum += load(plane[dy.offset(oh, ow)]);
        }
      }
    }
    return sum;
  }
};

// The divisor of an average; 0 for a window that holds nothing.
__device__ inline float pool_divisor(const Range& h, const Range& w, bool count_padding) {
  return count_padding ? static_cast<float>(h.padded) * static_cast<float>(w.padded)
                       : static_cast<float>(h.end - h.begin) * static_cast<float>(w.end - w.begin);
}

template <class T>
struct AveragePool {
  Image<T> x;
  PoolAxis rows, columns;
  bool count_padding;

  __device__ float operator()(int n, int c, int oh, int ow) const {
    const Range h_range = rows.window(oh), w_range = columns.window(ow);
    const T* plane = x.plane(n, c);
    float sum = 0;
    for (int h = h_range.begin; h < h_range.end; ++h) {
      for (int w = w_range.begin; w < w_range.end; ++w) sum += load(plane[x.offset(h, w)]);
    }
    const float divisor = pool_divisor(h_range, w_range, count_padding);
    return divisor > 0 ? sum / divisor : 0.0f;
  }
};

template <class T>
struct AveragePoolBackward {
  Image<T> dy;
  PoolAxis rows, columns;
  bool count_padding;

  __device__ float operator()(int n, int c, int h, int w) const {
    const Range oh_range = rows.seen_by(h), ow_range = columns.seen_by(w);
    const T* plane = dy.plane(n, c);
    float sum = 0;
    for (int oh = oh_range.begin; oh < oh_range.end; ++oh) {
      for (int ow = ow_range.begin; ow < ow_range.end; ++ow) {
        const float divisor = pool_divisor(rows.window(oh), columns.window(ow), count_padding);
        if (divisor > 0) sum += load(plane[dy.offset(oh, ow)]) / divisor;
      }
    }
    return sum;
  }
};

// Adaptive pooling along one axis: output i sees [floor(i*in/out), ceil((i+1)*in/out)), and input i
// is seen by what the same formula gives with in and out exchanged.
__device__ inline Range adaptive_range(int i, int count, int other) {
  const int64_t product = static_cast<int64_t>(i) * other;
  return {static_cast<int>(product / count),
          static_cast<int>((product + other + count - 1) / count), 0};
}

template <class T>
struct AdaptivePool {
  Image<T> x;
  int outputs_h, outputs_w;

  __device__ float operator()(int n, int c, int oh, int ow) const {
    const Range h_range = adaptive_range(oh, outputs_h, x.h);
    const Range w_range = adaptive_range(ow, outputs_w, x.w);
    const T* plane = x.plane(n, c);
    float sum = 0;
    for (int h = h_range.begin; h < h_range.end; ++h) {
      float row = 0;
      for (int w = w_range.begin; w < w_range.end; ++w) row += load(plane[x.offset(h, w)]);
      sum += row;
    }
    return sum / pool_divisor(h_range, w_range, false);
  }
};

template <class T>
struct AdaptivePoolBackward {
  Image<T> dy;
  int size_h, size_w;

  __device__ float operator()(int n, int c, int h, int w) const {
    const Range oh_range = adaptive_range(h, size_h, dy.h);
    const Range ow_range = adaptive_range(w, size_w, dy.w);
    const T* plane = dy.plane(n, c);
    float sum = 0;
    for (int oh = oh_range.begin; oh < oh_range.end; ++oh) {
      for (int ow = ow_range.begin; ow < ow_range.end; ++ow) {
        const float divisor =
            pool_divisor(adaptive_range(oh, dy.h, size_h), adaptive_range(ow, dy.w, size_w), false);
        sum += load(plane[dy.offset(oh, ow)]) / divisor;
      }
    }
    return sum;
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
