#pragma once

#include <string>

#include "models/lpips.h"

namespace gestalt::tools {

struct PerceptualLoss {
  models::Lpips lpips;
  std::string description;  // for logs
};

// LPIPS with VGG-16 of `vgg16` (torchvision's weights, the whole network or its features alone) and
// the published linear weights of `linear` (lpips/v0.1/vgg.pth). Without files: an untrained,
// well-scaled VGG-16, always the same; every channel counts 1. On the default device. Throws Error
// with the file's name where weights do not fit.
PerceptualLoss make_perceptual_loss(const std::string& vgg16, const std::string& linear);

}  // namespace gestalt::tools
