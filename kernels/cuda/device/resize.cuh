#pragma once

// Reflection padding and resizing of [N, C, H, W], and their gradients.
//
// Floor: every element is read and written once (bilinear's four taps meet the caches); some twenty
// integer operations an element.

#include <cstdint>

#include "kernels/cuda/device/image.cuh"
#include "kernels/cuda/namespace.h"
#include "kernels/descriptors.h"

namespace GESTALT_CUDA_NAMESPACE {

// ---- reflection: each axis is padded by less than its size ----

struct ReflectionAxis {
  int size, outputs, before;

  __device__ int source(int i) const {
    const int mirrored = i < before ? before - i : i - before;
    return mirrored < size ? mirrored : 2 * (size - 1) - mirrored;
  }
  // The outputs whose source is i: itself and its reflections at both ends, or -1.
  __device__ void outputs_of(int i, int (&out)[3]) const {
    const int behind = before + 2 * (size - 1) - i;
    out[0] = i + before;
    out[1] = i >= 1 && i <= before ? before - i : -1;
    out[2] = i <= size - 2 && behind < outputs ? behind : -1;
  }
};

template <class T>
struct ReflectionPad {
  Image<T> x;
  ReflectionAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    return load(x.plane(n, c)[x.offset(rows.source(h), columns.source(w))]);
  }
};

template <class T>
struct ReflectionPadBackward {
  Image<T> dy;
  ReflectionAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    int oh[3], ow[3];
    rows.outputs_of(h, oh);
    columns.outputs_of(w, ow);
    const T* plane = dy.plane(n, c);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
#pragma unroll
      for (int k = 0; k < 3; ++k) {
        if (oh[i] >= 0 && ow[k] >= 0) sum += load(plane[dy.offset(oh[i], ow[k])]);
      }
    }
    return sum;
  }
};

// ---- nearest ----

struct NearestAxis {
  int size, outputs;
  float scale;  // PyTorch computes the source in f32, and so it must be done here

  NearestAxis(int64_t size, int64_t outputs)
      : size(static_cast<int>(size)),
        outputs(static_cast<int>(outputs)),
        scale(static_cast<float>(size) / static_cast<float>(outputs)) {}

  __device__ int source(int i) const {
    return ::min(static_cast<int>(floorf(static_cast<float>(i) * scale)), size - 1);
  }
  // The outputs [begin, end) whose source is i: found by their rational positions, then corrected
  // for the rounding.
  __device__ int first_output(int i) const {
    int out = static_cast<int>((static_cast<int64_t>(i) * outputs + size - 1) / size);
    while (out > 0 && source(out - 1) >= i) --out;
    while (out < outputs && source(out) < i) ++out;
    return out;
  }
};

template <class T>
struct ResizeNearest {
  Image<T> x;
  NearestAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    return load(x.plane(n, c)[x.offset(rows.source(h), columns.source(w))]);
  }
};

template <class T>
struct ResizeNearestBackward {
  Image<T> dy;
  NearestAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    const int end_h = rows.first_output(h + 1), begin_w = columns.first_output(w);
    const int end_w = columns.first_output(w + 1);
    const T* plane = dy.plane(n, c);
    float sum = 0;
    for (int oh = rows.first_output(h); oh < end_h; ++oh) {
      for (int ow = begin_w; ow < end_w; ++ow) sum += load(plane[dy.offset(oh, ow)]);
    }
    return sum;
  }
};

// ---- bilinear ----

// An output's source is x[low] * (1 - weight) + x[high] * weight.
struct BilinearTap {
  int low, high;
  float weight;

  // What the output takes of input i.
  __device__ float weight_of(int i) const {
    return (low == i ? 1 - weight : 0.0f) + (high == i ? weight : 0.0f);
  }
};

// The source of output i is the fraction (factor * i + offset) / denominator, clamped at 0. Whole
// numbers give it exactly on every device.
struct BilinearAxis {
  int size, outputs;
  int64_t factor, offset, denominator;

  BilinearAxis(int64_t size, int64_t outputs, const ResizeDesc& desc)
      : size(static_cast<int>(size)), outputs(static_cast<int>(outputs)) {
    if (desc.align_corners) {
      factor = outputs > 1 ? size - 1 : 0;
      offset = 0;
      denominator = outputs > 1 ? outputs - 1 : 1;
    } else {  // (i + 1/2) * size / outputs - 1/2
      factor = 2 * size;
      offset = size - outputs;
      denominator = 2 * outputs;
    }
  }

  __device__ BilinearTap tap(int i) const {
    const int64_t position = factor * i + offset;
    if (position <= 0) return {0, ::min(1, size - 1), 0.0f};
    const int64_t low = position / denominator;
    if (low >= size - 1) return {size - 1, size - 1, 0.0f};
    return {static_cast<int>(low), static_cast<int>(low) + 1,
            static_cast<float>(position - low * denominator) / static_cast<float>(denominator)};
  }
  // Some range that holds all outputs which take of input i: those with a source in (i-1, i+1).
  __device__ int first_output(int i) const {
    const int64_t above = (i - 1) * denominator - offset;
    return factor == 0 || above <= 0 ? 0 : static_cast<int>(above / factor);
  }
  __device__ int last_output(int i) const {
    const int64_t below = (i + 1) * denominator - offset;
    const int64_t last = factor == 0 ? outputs : (below + factor - 1) / factor;
    return last < outputs ? static_cast<int>(last) : outputs - 1;
  }
};

template <class T>
struct ResizeBilinear {
  Image<T> x;
  BilinearAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    const BilinearTap row = rows.tap(h), column = columns.tap(w);
    const T* plane = x.plane(n, c);
    const float top = (1 - column.weight) * load(plane[x.offset(row.low, column.low)]) +
                      column.weight * load(plane[x.offset(row.low, column.high)]);
    const float bottom = (1 - column.weight) * load(plane[x.offset(row.high, column.low)]) +
                         column.weight * load(plane[x.offset(row.high, column.high)]);
    return (1 - row.weight) * top + row.weight * bottom;
  }
};

template <class T>
struct ResizeBilinearBackward {
  Image<T> dy;
  BilinearAxis rows, columns;

  __device__ float operator()(int n, int c, int h, int w) const {
    const int begin_w = columns.first_output(w), last_w = columns.last_output(w);
    const int last_h = rows.last_output(h);
    const T* plane = dy.plane(n, c);
    float sum = 0;
    for (int oh = rows.first_output(h); oh <= last_h; ++oh) {
      const float row_weight = rows.tap(oh).weight_of(h);
      if (row_weight == 0) continue;
      for (int ow = begin_w; ow <= last_w; ++ow) {
        const float weight = row_weight * columns.tap(ow).weight_of(w);
        if (weight != 0) sum += weight * load(plane[dy.offset(oh, ow)]);
      }
    }
    return sum;
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
