#pragma once

// Between 8-bit images and the input spaces of networks. That of the texture-synthesis VGG (Gatys
// et al. 2015): channels B, G, R; x/255 minus the mean (0.40760392, 0.45795686, 0.48501961), times
// 255.

#include <vector>

#include "data/image.h"
#include "tensor/tensor.h"

namespace gestalt::data {

// [1,3,H,W] f32 on the CPU.
Tensor to_texture_input(const Image& image);

// The inverse: three planes R, G, B of H*W values, 1 being white, not clamped. `input`: [1,3,H,W].
std::vector<float> from_texture_input(const Tensor& input);

// Planes as above, or with another white, to an image: clamped to [0, white], to levels 0 to 255,
// truncated, as torchvision's ToPILImage.
Image planes_to_image(const std::vector<float>& planes, int height, int width, float white = 1);

// RGB in [0, 1], f32 [1,3,H,W] on the CPU, as torchvision's ToTensor.
Tensor to_unit_tensor(const ImageView& image);

// The inverse: clamped, rounded, as torchvision's save_image. `image`: f32 [1,3,H,W], any device.
Image from_unit_tensor(const Tensor& image);
// Each image of a batch [N,3,H,W] alike.
std::vector<Image> from_unit_tensors(const Tensor& images);

}  // namespace gestalt::data
