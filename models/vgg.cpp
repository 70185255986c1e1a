#include "models/vgg.h"

#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "kernels/error.h"
#include "models/noise_images.h"
#include "nn/dropout.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::models {
namespace {

constexpr std::array<int64_t, 5> block_channels = {64, 128, 256, 512, 512};

// Convolutions in each of the five blocks.
const std::array<int, 5>& block_sizes(int depth) {
  static const std::map<int, std::array<int, 5>> sizes = {
      {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}};
  const auto found = sizes.find(depth);
  GESTALT_CHECK(found != sizes.end(), "no VGG-{}: depths are 11, 13, 16, 19", depth);
  return found->second;
}

std::shared_ptr<nn::Conv2d> conv3x3(int64_t in, int64_t out, Generator& generator) {
  return std::make_shared<nn::Conv2d>(
      nn::Conv2dOptions{.in_channels = in, .out_channels = out, .desc = {.padding = {1, 1}}},
      generator);
}

std::shared_ptr<nn::Module> make_pool(Pooling pooling) {
  if (pooling == Pooling::max) return std::make_shared<nn::MaxPool2d>(Pool2dDesc{});
  return std::make_shared<nn::AvgPool2d>(Pool2dDesc{});
}

}  // namespace

std::shared_ptr<nn::Sequential> make_texture_vgg19(Pooling pooling, Generator& generator) {
  auto network = std::make_shared<nn::Sequential>();
  int64_t in = 3;
  for (size_t block = 0; block < block_channels.size(); ++block) {
    const std::string prefix = std::to_string(block + 1);
    for (int i = 1; i <= block_sizes(19)[block]; ++i) {
      const std::string suffix = prefix + "_" + std::to_string(i);
      network->add("conv" + suffix, conv3x3(in, block_channels[block], generator));
      network->add("relu" + suffix, std::make_shared<nn::ReLU>());
      in = block_channels[block];
    }
    network->add("pool" + prefix, make_pool(pooling));
  }
  return network;
}

void init_well_scaled(nn::Sequential& network, Generator& generator, Brightness brightness) {
  const NoGradGuard no_grad;
  const ExactGuard exact(Device{}, false);
  network.to(Device{});
  bool is_first = true;
  Tensor x = noise_images(4, 96, 60, generator);  // grey levels, as the network's input
  for (const nn::Module::Child& child : network.children()) {
    if (auto* conv = dynamic_cast<nn::Conv2d*>(child.module.get())) {
      const Tensor& weight = conv->weight();
      const int64_t fan_in = weight.numel() / weight.size(0);
      Tensor filters = generator.normal(
          weight.shape(), 0, std::sqrt(2.0 / static_cast<double>(fan_in)), {.device = Device{}});
      Tensor means = mean(filters, {1, 2, 3}, true);
      if (std::exchange(is_first, false) && brightness == Brightness::seen) {
        for (int64_t i = 0; i < means.size(0); i += 2) narrow(means, 0, i, 1).zero_();
      }
      filters = filters - means;
      conv->bias().fill_(0);
      weight.copy_(filters);
      const Tensor activation = mean(conv->forward(x, Activation::relu), {0, 2, 3}, false);
      const Tensor floor =
          mean(activation, {0}, true) * 1e-3;  // a filter that never fires stays small
      weight.copy_(filters / reshape(activation + floor, {weight.size(0), 1, 1, 1}));
    }
    x = child.module->forward(x);
  }
}

std::shared_ptr<nn::Sequential> make_vgg_features(int depth, VggNorm norm, Generator& generator) {
  auto features = std::make_shared<nn::Sequential>();
  int64_t in = 3;
  for (size_t block = 0; block < block_channels.size(); ++block) {
    const int64_t out = block_channels[block];
    for (int i = 0; i < block_sizes(depth)[block]; ++i) {
      const auto conv = features->append(conv3x3(in, out, generator));
      nn::init_kaiming_normal(conv->weight(), generator);
      conv->bias().detach().zero_();
      if (norm == VggNorm::batch) features->append(std::make_shared<nn::BatchNorm2d>(out));
      features->append(std::make_shared<nn::ReLU>());
      in = out;
    }
    features->append(make_pool(Pooling::max));
  }
  return features;
}

Vgg::Vgg(int depth, VggNorm norm, int64_t classes, Generator& generator) {
  features_ = register_module("features", make_vgg_features(depth, norm, generator));
  avgpool_ = register_module("avgpool", std::make_shared<nn::AdaptiveAvgPool2d>(Pair{7, 7}));
  classifier_ = register_module("classifier", std::make_shared<nn::Sequential>());
  const auto linear = [&](int64_t inputs, int64_t outputs) {
    const auto layer = std::make_shared<nn::Linear>(inputs, outputs, generator);
    nn::init_normal(layer->weight(), 0, 0.01, generator);
    layer->bias().detach().zero_();
    classifier_->append(layer);
  };
  linear(512 * 7 * 7, 4096);
  classifier_->append(std::make_shared<nn::ReLU>());
  classifier_->append(std::make_shared<nn::Dropout>());
  linear(4096, 4096);
  classifier_->append(std::make_shared<nn::ReLU>());
  classifier_->append(std::make_shared<nn::Dropout>());
  linear(4096, classes);
}

Tensor Vgg::forward(const Tensor& x) {
  return (*classifier_)(flatten((*avgpool_)((*features_)(x)), 1));
}

namespace {

// Behind every max pooling; for VGG-16 those are features 4, 9, 16, 23 and the end.
std::vector<std::string> topk_places(int depth, VggNorm norm) {
  std::vector<std::string> places;
  int child = -1;
  for (int convolutions : block_sizes(depth)) {
    child += convolutions * (norm == VggNorm::batch ? 3 : 2) + 1;
    places.push_back("features." + std::to_string(child));
  }
  return places;
}

ModelEntry entry(int depth, VggNorm norm) {
  return {.name = "vgg" + std::to_string(depth) + (norm == VggNorm::batch ? "_bn" : ""),
          .make =
              [=](const ModelOptions& options, Generator& generator) {
                return std::make_shared<Vgg>(depth, norm, options.classes, generator);
              },
          .head = "classifier.6",
          .topk_places = topk_places(depth, norm)};
}

}  // namespace

std::vector<ModelEntry> vgg_models() {
  std::vector<ModelEntry> list = {
      {.name = "vgg19-normalized",
       .make = [](const ModelOptions&,
                  Generator& generator) { return make_texture_vgg19(Pooling::average, generator); },
       .head = "",
       .topk_places = {}}};
  for (const VggNorm norm : {VggNorm::none, VggNorm::batch}) {
    for (const int depth : {11, 13, 16, 19}) list.push_back(entry(depth, norm));
  }
  return list;
}

}  // namespace gestalt::models
