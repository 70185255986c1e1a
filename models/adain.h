#pragma once

// Style transfer by adaptive instance normalization (Huang and Belongie 2017), with the networks
// and state-dict names of pytorch-AdaIN. Images are RGB in [0, 1], [N,3,H,W].

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "nn/adain.h"
#include "nn/sequential.h"
#include "tensor/random.h"
#include "tensor/state_dict.h"

namespace gestalt::models {

// The first 31 children of the `vgg_normalised` Sequential, named 0 to 30: a 1x1 convolution 3 ->
// 3, then VGG-19 to relu4_1 with reflection padding and max-pools that round up. Output [N, 512,
// ceil(H/8), ceil(W/8)]; H and W at least adain_least_side, so that every padding has what it
// reflects.
std::shared_ptr<nn::Sequential> make_adain_encoder(Generator& generator);

// Names of relu1_1, relu2_1, relu3_1, relu4_1.
inline const std::array<std::string, 4> adain_taps = {"3", "10", "17", "30"};

// relu4_1 back to an image eight times as large: children 0 to 28.
std::shared_ptr<nn::Sequential> make_adain_decoder(Generator& generator);

// Where a decoder's training begins: He et al. 2015's normal filters, no biases; the last layer's
// filters a tenth of that around middle grey. With PyTorch's default filters a ninth of the
// signal's power or less passes each layer, so that the picture hardly depends on the features at
// first.
void init_adain_decoder(nn::Sequential& decoder, Generator& generator);

// An encoder without training: child 0 turns RGB in [0, 1] into the input of init_well_scaled
// (models/vgg.h), which does the rest, on the CPU. It sees brightness: a decoder could not learn it
// otherwise.
void init_untrained_encoder(nn::Sequential& encoder, Generator& generator);

// Of a whole vgg_normalised, what the encoder has: the layers after its last are left out.
StateDict adain_encoder_weights(const StateDict& state);

// Sum of weights[i] * styles[i]: the target of a mixture of styles, since AdaIN is linear in them.
// The weights are divided by their sum. Error: of different numbers, negative, or all zero.
nn::ChannelStats mix_styles(const std::vector<nn::ChannelStats>& styles,
                            const std::vector<double>& weights);

class Stylizer {
 public:
  // Both on the same device, whose fastest layout their weights get (nn/weight_format.h).
  Stylizer(std::shared_ptr<nn::Sequential> encoder, std::shared_ptr<nn::Sequential> decoder);

  nn::ChannelStats style(const Tensor& image) const;

  // decoder(alpha * AdaIN(encoder(content), style) + (1 - alpha) * encoder(content)), cut to the
  // content's size (the decoder's is rounded up to a multiple of 8). One image.
  Tensor stylize(const Tensor& content, const nn::ChannelStats& style, double alpha) const;

  // The same to rounding, in the memory of one tile whatever the image's size: statistics of the
  // content in one pass over tiles, decoding in a second. `content` and the result are on the CPU;
  // `tile` is the side of what a tile decides, in pixels, a multiple of 8.
  Tensor stylize_tiled(const Tensor& content, const nn::ChannelStats& style, double alpha,
                       int64_t tile) const;

 private:
  Tensor encode(const Tensor& image) const;
  nn::ChannelStats content_stats(const Tensor& content, int64_t tile) const;

  std::shared_ptr<nn::Sequential> encoder_, decoder_;
  Format format_;
};

// Bytes that stylize needs a pixel of the content, and a tile a pixel of its own with its margins.
inline constexpr int64_t adain_bytes_per_pixel = 1200;
// The least height and width of an image.
inline constexpr int64_t adain_least_side = 9;
// What tiles overlap on each side for the encoder and for the decoder, in pixels.
inline constexpr int64_t adain_margin = 32;

}  // namespace gestalt::models
