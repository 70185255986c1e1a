#pragma once

// One evaluation of texture synthesis: the losses of images by VGG-19 with random weights, and
// their gradient to the images (models/synthesis.h).

#include "models/synthesis.h"
#include "models/vgg.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"

namespace gestalt::bench {

class TextureStep {
 public:
  // images: [N,3,H,W], of random values, as are the targets.
  TextureStep(const Shape& images, const models::SynthesisOptions& options, Device device)
      : objective_(network(device, options), options, picture(images, device, 1)),
        images_(picture(images, device, 2)) {
    images_.set_requires_grad(true);
  }

  void operator()() {
    images_.set_grad({});
    loss_ = sum(objective_(images_));
    loss_.backward();
  }
  double loss() const { return loss_.item(); }  // of all images

 private:
  static std::shared_ptr<nn::Sequential> network(Device device,
                                                 const models::SynthesisOptions& options) {
    Generator generator(3);
    auto network = models::layers_for(
        options.taps, *models::make_texture_vgg19(models::Pooling::average, generator));
    network->to(device);
    return network;
  }
  static Tensor picture(const Shape& shape, Device device, uint64_t seed) {
    return Generator(seed).normal(shape, 0, 50, {.device = device});
  }

  models::SynthesisLoss objective_;
  Tensor images_, loss_;
};

}  // namespace gestalt::bench
