#pragma once

// DiffAugment (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"):
//   color        brightness + U(-.5, .5), then saturation * U(0, 2), then contrast * U(.5, 1.5)
//   translation  by up to round(size / 8) along each side, whole pixels; zeros come in
//   cutout       a rectangle of half of each side is zero, its centre anywhere in the picture
// in this order, each picture with numbers of its own.
//
// The random numbers are an argument, on the device: a captured step reads them from a fixed
// tensor, which the trainer fills before each run (Generator::fill_uniform(numbers, 0, 1)).

#include "tensor/tensor.h"

namespace gestalt::nn {

struct DiffAugmentPolicy {
  bool color = false, translation = false, cutout = false;
};

// Uniform numbers of [0, 1) that a picture takes, whatever the policy: brightness, saturation,
// contrast, translation down and right, cutout down and right.
inline constexpr int64_t diff_augment_numbers = 7;

// x [N,C,H,W], floating; numbers f32 [N,7] on x's device. Gradient to x.
Tensor diff_augment(const Tensor& x, const Tensor& numbers, const DiffAugmentPolicy& policy);

}  // namespace gestalt::nn
