#pragma once

// Augmentation of images x [N,C,H,W], any floating dtype, by values that lie on the device: nothing
// is read back, so that a captured step can hold them. Gradients to x.

#include "kernels/descriptors.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// One value a picture, [N], f32 (f64 for f64 pictures). The order of the three is that of the
// members.
struct ColorFactors {
  Tensor brightness;  // is added
  Tensor saturation;  // times the distance from the pixel's mean over C
  Tensor contrast;    // times the distance from the picture's mean over C, H, W
};
Tensor adjust_color(const Tensor& x, const ColorFactors& factors);

// y[n,c,h,w] = x[n,c,h + offsets[n,0],w + offsets[n,1]] for h, w in `size`, 0 where that is outside
// of x. offsets i64 [N,2].
Tensor translate(const Tensor& x, const Tensor& offsets, Pair size);

// x with zeros in a rectangle of `size` at corners[n] (row, column), i64 [N,2]; it may reach
// outside.
Tensor cutout(const Tensor& x, const Tensor& corners, Pair size);

}  // namespace gestalt::nn
