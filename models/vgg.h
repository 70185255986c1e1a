#pragma once

// VGG (Simonyan and Zisserman 2015) in two forms: torchvision's, and the convolutional part of
// VGG-19 that Gatys et al. 2015 use for texture synthesis.

#include <memory>

#include "models/registry.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace gestalt::models {

enum class Pooling { average, max };

// VGG-19's convolutional part with children conv1_1, relu1_1, ..., pool5. Input [N,3,H,W]: BGR,
// mean subtracted, in grey levels (data/preprocess.h).
std::shared_ptr<nn::Sequential> make_texture_vgg19(Pooling pooling, Generator& generator);

// Well-scaled random weights (He, Wang, Hopcroft 2016): zero-mean normal filters and no biases,
// then every filter scaled so that its mean activation after the ReLU is 1 over noise images with
// the 1/f spectrum and the contrast of photographs. The same generator state gives the same
// weights, whatever the default device and Context::exact(): they are made on the CPU, without
// exact mode. The network is there afterwards.
//
// A filter with a mean answers the picture's brightness more than its structure, so it is taken
// out; what is left does not see how bright a picture is. Brightness::seen keeps the means of every
// second filter of the first layer.
enum class Brightness { unseen, seen };
void init_well_scaled(nn::Sequential& network, Generator& generator,
                      Brightness brightness = Brightness::unseen);

enum class VggNorm { none, batch };

// The children `features` of the Vgg below alone. `depth` 11, 13, 16 or 19; throws Error otherwise.
std::shared_ptr<nn::Sequential> make_vgg_features(int depth, VggNorm norm, Generator& generator);

// torchvision's vgg11, vgg13, vgg16, vgg19, and vgg11_bn ... with batch norm: children
// `features`, `avgpool` and `classifier`, its numbering and initial weights. Input [N,3,224,224] by
// default, any size from 32 up; output logits [N, classes].
class Vgg : public nn::Module {
 public:
  // `depth` 11, 13, 16 or 19; throws Error otherwise.
  Vgg(int depth, VggNorm norm, int64_t classes, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Sequential> features_, classifier_;
  std::shared_ptr<nn::AdaptiveAvgPool2d> avgpool_;
};

std::vector<ModelEntry> vgg_models();

}  // namespace gestalt::models
