#include "models/alexnet.h"

#include "nn/dropout.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {

AlexNet::AlexNet(int64_t classes, Generator& generator) {
  features_ = register_module("features", std::make_shared<nn::Sequential>());
  const auto convolution = [&](int64_t in, int64_t out, int64_t kernel, int64_t stride,
                               int64_t padding) {
    features_->append(std::make_shared<nn::Conv2d>(
        nn::Conv2dOptions{.in_channels = in,
                          .out_channels = out,
                          .kernel = {kernel, kernel},
                          .desc = {.stride = {stride, stride}, .padding = {padding, padding}}},
        generator));
    features_->append(std::make_shared<nn::ReLU>());
  };
  const auto pool = [&] {
    features_->append(
        std::make_shared<nn::MaxPool2d>(Pool2dDesc{.kernel = {3, 3}, .stride = {2, 2}}));
  };
  convolution(3, 64, 11, 4, 2);
  pool();
  convolution(64, 192, 5, 1, 2);
  pool();
  convolution(192, 384, 3, 1, 1);
  convolution(384, 256, 3, 1, 1);
  convolution(256, 256, 3, 1, 1);
  pool();

  avgpool_ = register_module("avgpool", std::make_shared<nn::AdaptiveAvgPool2d>(Pair{6, 6}));
  classifier_ = register_module("classifier", std::make_shared<nn::Sequential>());
  classifier_->append(std::make_shared<nn::Dropout>());
  classifier_->append(std::make_shared<nn::Linear>(256 * 6 * 6, 4096, generator));
  classifier_->append(std::make_shared<nn::ReLU>());
  classifier_->append(std::make_shared<nn::Dropout>());
  classifier_->append(std::make_shared<nn::Linear>(4096, 4096, generator));
  classifier_->append(std::make_shared<nn::ReLU>());
  classifier_->append(std::make_shared<nn::Linear>(4096, classes, generator));
}

Tensor AlexNet::forward(const Tensor& x) {
  return (*classifier_)(flatten((*avgpool_)((*features_)(x)), 1));
}

std::vector<ModelEntry> alexnet_models() {
  return {{.name = "alexnet",
           .make =
               [](const ModelOptions& options, Generator& generator) {
                 return std::make_shared<AlexNet>(options.classes, generator);
               },
           .head = "classifier.6",
           .topk_places = {"features.2", "features.5", "features.7", "features.9", "features.12"}}};
}

}  // namespace gestalt::models
