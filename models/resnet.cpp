#include "models/resnet.h"

#include "kernels/error.h"
#include "nn/init.h"
#include "nn/pool.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {
namespace {

constexpr std::array<int64_t, 4> stage_channels = {64, 128, 256, 512};

std::shared_ptr<nn::Conv2d> convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                        Generator& generator) {
  const int64_t padding = kernel / 2;
  return std::make_shared<nn::Conv2d>(
      nn::Conv2dOptions{.in_channels = in,
                        .out_channels = out,
                        .kernel = {kernel, kernel},
                        .desc = {.stride = {stride, stride}, .padding = {padding, padding}},
                        .bias = false},
      generator);
}

// Convolutions conv1, bn1, conv2, ... with a ReLU after each batch norm, the last one after the
// sum with the shortcut.
class Residual : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (size_t i = 0; i + 1 < convolutions_.size(); ++i) {
      y = nn::rectified(*norms_[i], (*convolutions_[i])(y));
    }
    y = (*convolutions_.back())(y);
    return nn::rectified_sum(*norms_.back(), y, shortcut_ == nullptr ? x : (*shortcut_)(x));
  }

 protected:
  void add_convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                       Generator& generator) {
    const std::string number = std::to_string(convolutions_.size() + 1);
    convolutions_.push_back(
        register_module("conv" + number, convolution(in, out, kernel, stride, generator)));
    norms_.push_back(register_module("bn" + number, std::make_shared<nn::BatchNorm2d>(out)));
  }
  void add_shortcut(const std::string& name, int64_t in, int64_t out, int64_t stride,
                    Generator& generator) {
    shortcut_ = register_module(name, std::make_shared<nn::Sequential>());
    shortcut_->append(convolution(in, out, 1, stride, generator));
    shortcut_->append(std::make_shared<nn::BatchNorm2d>(out));
  }

 private:
  std::vector<std::shared_ptr<nn::Conv2d>> convolutions_;
  std::vector<std::shared_ptr<nn::BatchNorm2d>> norms_;
  std::shared_ptr<nn::Sequential> shortcut_;  // null: the identity
};

struct BlockOptions {
  int64_t in, channels, stride;
  std::string shortcut;  // its name
};

class BasicBlock : public Residual {
 public:
  static constexpr int64_t expansion = 1;
  BasicBlock(const BlockOptions& o, Generator& generator) {
    add_convolution(o.in, o.channels, 3, o.stride, generator);
    add_convolution(o.channels, o.channels, 3, 1, generator);
    if (o.stride != 1 || o.in != o.channels) {
      add_shortcut(o.shortcut, o.in, o.channels, o.stride, generator);
    }
  }
};

class Bottleneck : public Residual {
 public:
  static constexpr int64_t expansion = 4;
  Bottleneck(const BlockOptions& o, Generator& generator) {
    const int64_t out = expansion * o.channels;
    add_convolution(o.in, o.channels, 1, 1, generator);
    add_convolution(o.channels, o.channels, 3, o.stride, generator);
    add_convolution(o.channels, out, 1, 1, generator);
    if (o.stride != 1 || o.in != out) add_shortcut(o.shortcut, o.in, out, o.stride, generator);
  }
};

// Stages of strides 1, 2, 2, 2.
template <class Block>
std::array<std::shared_ptr<nn::Sequential>, 4> make_stages(const std::array<int, 4>& blocks,
                                                           const std::string& shortcut,
                                                           Generator& generator) {
  std::array<std::shared_ptr<nn::Sequential>, 4> stages;
  int64_t in = 64;
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    stages[stage] = std::make_shared<nn::Sequential>();
    for (int i = 0; i < blocks[stage]; ++i) {
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      stages[stage]->append(std::make_shared<Block>(
          BlockOptions{in, stage_channels[stage], stride, shortcut}, generator));
      in = stage_channels[stage] * Block::expansion;
    }
  }
  return stages;
}

void init_torchvision(nn::Module& network, Generator& generator) {
  if (auto* conv = dynamic_cast<nn::Conv2d*>(&network)) {
    nn::init_kaiming_normal(conv->weight(), generator);
  }
  for (const nn::Module::Child& child : network.children()) {
    init_torchvision(*child.module, generator);
  }
}

// Of the last stage's output, whose first stage has the stem's.
int64_t last_size(int64_t image_size, int64_t stem_stride) {
  int64_t size = (image_size - 1) / stem_stride + 1;
  for (int stage = 1; stage < 4; ++stage) size = (size - 1) / 2 + 1;
  return size;
}

}  // namespace

ResNet::ResNet(ResNetBlock block, const std::array<int, 4>& blocks, int64_t classes,
               Generator& generator) {
  conv1_ = register_module("conv1", convolution(3, 64, 7, 2, generator));
  bn1_ = register_module("bn1", std::make_shared<nn::BatchNorm2d>(64));
  maxpool_ =
      register_module("maxpool", std::make_shared<nn::MaxPool2d>(Pool2dDesc{
                                     .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}));
  const bool basic = block == ResNetBlock::basic;
  layers_ = basic ? make_stages<BasicBlock>(blocks, "downsample", generator)
                  : make_stages<Bottleneck>(blocks, "downsample", generator);
  for (size_t i = 0; i < layers_.size(); ++i) {
    register_module("layer" + std::to_string(i + 1), layers_[i]);
  }
  avgpool_ = register_module("avgpool", std::make_shared<nn::AdaptiveAvgPool2d>(Pair{1, 1}));
  const int64_t features = 512 * (basic ? BasicBlock::expansion : Bottleneck::expansion);
  fc_ = register_module("fc", std::make_shared<nn::Linear>(features, classes, generator));
  init_torchvision(*this, generator);
}

Tensor ResNet::forward(const Tensor& x) {
  Tensor y = nn::rectified(*bn1_, (*conv1_)(x));
  y = (*maxpool_)(y);
  for (const auto& layer : layers_) y = (*layer)(y);
  return (*fc_)(flatten((*avgpool_)(y), 1));
}

CifarResNet18::CifarResNet18(const ModelOptions& options, Generator& generator)
    : image_size_(options.image_size) {
  GESTALT_CHECK(options.stem_stride == 1 || options.stem_stride == 2,
                "the stem's stride must be 1 or 2, got {}", options.stem_stride);
  const int64_t pooled = last_size(options.image_size, options.stem_stride) / 4;
  GESTALT_CHECK(pooled > 0,
                "images of {} pixels are too small for resnet18-cifar with stem stride {}: it "
                "takes at least {}",
                options.image_size, options.stem_stride, 24 * options.stem_stride + 1);
  conv1_ = register_module("conv1", convolution(3, 64, 3, options.stem_stride, generator));
  bn1_ = register_module("bn1", std::make_shared<nn::BatchNorm2d>(64));
  layers_ = make_stages<BasicBlock>({2, 2, 2, 2}, "shortcut", generator);
  for (size_t i = 0; i < layers_.size(); ++i) {
    register_module("layer" + std::to_string(i + 1), layers_[i]);
  }
  linear_ = register_module(
      "linear", std::make_shared<nn::Linear>(512 * pooled * pooled, options.classes, generator));
}

Tensor CifarResNet18::forward(const Tensor& x) {
  GESTALT_CHECK(x.rank() == 4 && x.size(2) == image_size_ && x.size(3) == image_size_,
                "this resnet18-cifar was made for images of {} pixels, got {}", image_size_, x);
  Tensor y = nn::rectified(*bn1_, (*conv1_)(x));
  for (const auto& layer : layers_) y = (*layer)(y);
  return (*linear_)(flatten(nn::avg_pool2d(y, {.kernel = {4, 4}, .stride = {4, 4}}), 1));
}

std::vector<ModelEntry> resnet_models() {
  const std::vector<std::string> places = {"layer1", "layer2", "layer3", "layer4"};
  const auto torchvision = [&](const char* name, ResNetBlock block,
                               const std::array<int, 4>& blocks) {
    return ModelEntry{.name = name,
                      .make =
                          [=](const ModelOptions& options, Generator& generator) {
                            return std::make_shared<ResNet>(block, blocks, options.classes,
                                                            generator);
                          },
                      .head = "fc",
                      .topk_places = places};
  };
  return {torchvision("resnet18", ResNetBlock::basic, {2, 2, 2, 2}),
          torchvision("resnet34", ResNetBlock::basic, {3, 4, 6, 3}),
          torchvision("resnet50", ResNetBlock::bottleneck, {3, 4, 6, 3}),
          {.name = "resnet18-cifar",
           .make =
               [](const ModelOptions& options, Generator& generator) {
                 return std::make_shared<CifarResNet18>(options, generator);
               },
           .head = "linear",
           .topk_places = places}};
}

}  // namespace gestalt::models
