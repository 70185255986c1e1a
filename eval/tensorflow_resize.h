#pragma once

// Bilinear resizing as TensorFlow 1 does it, which FID and KID are defined with: output i comes
// from source i * (in / out), without the half-pixel shift and without antialiasing; the arithmetic
// of tensorflow/core/kernels/resize_bilinear_op.cc with align_corners false, f32, each operation
// rounded:
//   top = x00 + (x01 - x00) * dx,  bottom = x10 + (x11 - x10) * dx,  y = top + (bottom - top) * dy
// Bit for bit torch-fidelity's interpolate_bilinear_2d_like_tensorflow1x.

#include <map>
#include <utility>

#include "tensor/tensor.h"

namespace gestalt::eval {

class TensorFlowResize {
 public:
  TensorFlowResize(int64_t height, int64_t width) : height_(height), width_(width) {}

  // x: f32 [N,C,H,W]; [N,C,height,width] on its device. No gradient. Only the first image of a size
  // on a device waits for it.
  Tensor operator()(const Tensor& x);

 private:
  // x along one axis, 2 or 3.
  Tensor along(const Tensor& x, int axis, int64_t outputs);

  int64_t height_, width_;
  // (input size, axis) -> the parts behind the point of the sources.
  std::map<std::pair<int64_t, int>, Tensor> fractions_;
};

}  // namespace gestalt::eval
