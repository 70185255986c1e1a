#pragma once

// Image<T>: a typed view of N, C, H, W with any strides; [N,C] counts as [N,C,1,1].

#include <algorithm>
#include <cstdint>

#include "kernels/types.h"

namespace gestalt::cpu {

template <class T>
struct Image {
  T* data = nullptr;
  int64_t n = 0, c = 0, h = 0, w = 0;
  int64_t stride_n = 0, stride_c = 0, stride_h = 0, stride_w = 0;

  Image() = default;  // none
  explicit Image(const View& view)
      : data(view.as<T>()),
        n(view.shape[0]),
        c(view.shape[1]),
        h(view.rank() > 2 ? view.shape[2] : 1),
        w(view.rank() > 3 ? view.shape[3] : 1),
        stride_n(view.strides[0]),
        stride_c(view.strides[1]),
        stride_h(view.rank() > 2 ? view.strides[2] : 0),
        stride_w(view.rank() > 3 ? view.strides[3] : 0) {}

  T* row(int64_t in, int64_t ic, int64_t ih) const {
    return data + in * stride_n + ic * stride_c + ih * stride_h;
  }
  T& operator()(int64_t in, int64_t ic, int64_t ih, int64_t iw) const {
    return row(in, ic, ih)[iw * stride_w];
  }
  int64_t planes() const { return n * c; }
  int64_t plane_size() const { return h * w; }
};

// How many of `cost`-unit items make a range worth a thread.
inline int64_t grain(int64_t cost) {
  return std::max<int64_t>(1, 16384 / std::max<int64_t>(cost, 1));
}

}  // namespace gestalt::cpu
