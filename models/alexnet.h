#pragma once

// AlexNet as torchvision has it (Krizhevsky 2014, "One weird trick for parallelizing convolutional
// neural networks"): children `features`, `avgpool` and `classifier`, its numbering and default
// weights.

#include "models/registry.h"
#include "nn/sequential.h"

namespace gestalt::models {

// Input [N,3,H,W], H and W at least 63; logits [N, classes].
class AlexNet : public nn::Module {
 public:
  AlexNet(int64_t classes, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Sequential> features_, classifier_;
  std::shared_ptr<nn::AdaptiveAvgPool2d> avgpool_;
};

std::vector<ModelEntry> alexnet_models();

}  // namespace gestalt::models
