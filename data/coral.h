#pragma once

// Colour preservation of style transfer by correlation alignment (CORAL, Sun, Feng and Saenko 2016,
// as pytorch-AdaIN has it): the style gets the content's colours before its features are taken.

#include "tensor/tensor.h"

namespace gestalt::data {

// `source` with the channel means, deviations and correlations of `target`; not clamped. Both
// [1,3,H,W] f32, contiguous, on the CPU. For images of as many pixels these are the published
// values; for others the published code, which sums over pixels, also scales the contrast by the
// root of their numbers' ratio, and this does not. Error: other tensors, a single pixel, or a
// channel that is constant.
Tensor match_colors(const Tensor& source, const Tensor& target);

}  // namespace gestalt::data
