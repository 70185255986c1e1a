#pragma once

// Residual networks (He et al. 2016) in two forms; input [N,3,H,W], logits [N, classes].

#include <array>

#include "models/registry.h"
#include "nn/sequential.h"

namespace gestalt::models {

enum class ResNetBlock { basic, bottleneck };

// torchvision's resnet18, resnet34, resnet50 (stride on the 3x3 convolution), its names and initial
// weights. Any size from 32 up. A hook of `avgpool` sees the features [N,C,1,1] before `fc`.
class ResNet : public nn::Module {
 public:
  ResNet(ResNetBlock block, const std::array<int, 4>& blocks, int64_t classes,
         Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Conv2d> conv1_;
  std::shared_ptr<nn::BatchNorm2d> bn1_;
  std::shared_ptr<nn::MaxPool2d> maxpool_;
  std::array<std::shared_ptr<nn::Sequential>, 4> layers_;
  std::shared_ptr<nn::AdaptiveAvgPool2d> avgpool_;
  std::shared_ptr<nn::Linear> fc_;
};

// The paper's ResNet-18, in the form made for CIFAR: a 3x3 first convolution without pooling behind
// it, average pooling of 4x4 before `linear`, whose inputs follow from the image size. Shortcuts
// are named shortcut.0, shortcut.1.
class CifarResNet18 : public nn::Module {
 public:
  CifarResNet18(const ModelOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Conv2d> conv1_;
  std::shared_ptr<nn::BatchNorm2d> bn1_;
  std::array<std::shared_ptr<nn::Sequential>, 4> layers_;
  std::shared_ptr<nn::Linear> linear_;
  int64_t image_size_;
};

std::vector<ModelEntry> resnet_models();

}  // namespace gestalt::models
