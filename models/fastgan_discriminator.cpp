#include <algorithm>
#include <map>
#include <string>

#include "kernels/error.h"
#include "models/fastgan.h"
#include "nn/augment.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {
namespace {

using namespace fastgan;
using nn::make_sequential;

// By the published table's resolutions, twice those that the features really have.
int64_t channels_at(int64_t resolution, int64_t base) {
  static const std::map<int64_t, double> multiples = {
      {4, 16}, {8, 16}, {16, 8}, {32, 4}, {64, 2}, {128, 1}, {256, .5}, {512, .25}, {1024, .125}};
  return static_cast<int64_t>(multiples.at(resolution) * static_cast<double>(base));
}

int64_t log2(int64_t value) {
  int64_t result = 0;
  while (value > 1) value /= 2, ++result;
  return result;
}

// From an image to features of at most 256x256.
std::shared_ptr<nn::Sequential> from_big(int64_t size, int64_t base, Generator& generator) {
  const int64_t width = channels_at(512, base);
  if (size <= 256) return make_sequential({conv(3, width, 3, 1, 1, generator), leaky_relu()});
  if (size == 512) return make_sequential({conv(3, width, 4, 2, 1, generator), leaky_relu()});
  const int64_t wide = channels_at(1024, base);
  return make_sequential({conv(3, wide, 4, 2, 1, generator), leaky_relu(),
                          conv(wide, width, 4, 2, 1, generator), batch_norm(width, generator),
                          leaky_relu()});
}

// Of the features of a small image of `size`, down to 8x8.
std::vector<int64_t> widths_from_small(int64_t size, int64_t base) {
  std::vector<int64_t> widths = {channels_at(256, base)};
  for (int64_t resolution = size / 2, at = 128; resolution > 8; resolution /= 2, at /= 2) {
    widths.push_back(channels_at(at, base));
  }
  return widths;
}

std::shared_ptr<nn::Sequential> from_small(const std::vector<int64_t>& widths,
                                           Generator& generator) {
  auto layers = make_sequential({conv(3, widths[0], 4, 2, 1, generator), leaky_relu()});
  for (size_t i = 1; i < widths.size(); ++i) {
    layers->append(std::make_shared<DownBlock>(widths[i - 1], widths[i], generator));
  }
  return layers;
}

}  // namespace

Tensor quarter(const Tensor& x, int part) {
  GESTALT_CHECK(part >= 0 && part < 4, "the quarter must be 0 to 3, got {}", part);
  const int64_t height = x.size(2) / 2, width = x.size(3) / 2;
  return narrow(narrow(x, 2, part / 2 * height, height), 3, part % 2 * width, width);
}

Tensor quarter(const Tensor& x, const Tensor& part) {
  GESTALT_CHECK(x.rank() == 4 && x.size(2) == x.size(3),
                "[quarter] expected square images [N,C,S,S], got {}", x);
  GESTALT_CHECK(part.shape() == Shape{2} && part.dtype() == DType::f32,
                "[quarter] expected part f32[2], got {}", part);
  const int64_t half = x.size(2) / 2;
  const Tensor halves = (part.detach() * 2).to(DType::i64).to(DType::f32);  // 0 or 1
  const Tensor corner = (halves * static_cast<double>(half)).to(DType::i64);
  return nn::translate(x, expand(corner, {x.size(0), 2}), {half, half});
}

FastGanDiscriminator::FastGanDiscriminator(const FastGanOptions& options, Generator& generator) {
  const int64_t size = options.image_size, base = options.base_channels;
  down_from_big_ = register_module("down_from_big", from_big(size, base, generator));
  const int64_t blocks = log2(std::min<int64_t>(size, 256) / 8);  // to 8x8
  std::vector<int64_t> widths = {channels_at(512, base)};  // of the features at scale 2, 4, 8, ...
  for (int64_t i = 0; i < blocks; ++i) {
    widths.push_back(channels_at(256 >> i, base));
    down_.push_back(
        register_module("down_" + std::to_string(4 << i),
                        std::make_shared<DownBlockComp>(widths[i], widths[i + 1], generator)));
  }
  const int64_t last = widths.back(), judged = channels_at(8, base);
  rf_big_ = register_module("rf_big", make_sequential({conv(last, judged, 1, 1, 0, generator),
                                                       batch_norm(judged, generator), leaky_relu(),
                                                       conv(judged, 1, 4, 1, 0, generator)}));
  for (int64_t i = 0; i + 3 <= blocks; ++i) {
    const std::string name = "se_" + std::to_string(2 << i) + "_" + std::to_string(16 << i);
    excitations_.push_back(register_module(
        name,
        std::make_shared<SkipExcitation>(widths[i], widths[i + 3], options.excitation, generator)));
  }

  const std::vector<int64_t> small_widths = widths_from_small(small_size(size), base);
  const int64_t small_width = small_widths.back();
  down_from_small_ = register_module("down_from_small", from_small(small_widths, generator));
  rf_small_ = register_module("rf_small", conv(small_width, 1, 4, 1, 0, generator));

  const auto decoder = [&](int64_t width) {
    return std::make_shared<SimpleDecoder>(width, small_size(size), generator);
  };
  decoder_big_ = register_module("decoder_big", decoder(last));
  decoder_part_ = register_module("decoder_part", decoder(widths[widths.size() - 2]));
  decoder_small_ = register_module("decoder_small", decoder(small_width));
}

FastGanDiscriminator::Features FastGanDiscriminator::look(const FastGanImages& images) {
  std::vector<Tensor> features = {(*down_from_big_)(images.big)};
  for (size_t i = 0; i < down_.size(); ++i) {
    Tensor feature = (*down_[i])(features.back());
    if (i >= 2) feature = excitations_[i - 2]->forward(features[i - 2], feature);
    features.push_back(feature);
  }
  const Tensor small = (*down_from_small_)(images.small);
  const Tensor big_logits = flatten((*rf_big_)(features.back()));
  const Tensor small_logits = flatten((*rf_small_)(small));
  return {.logits = cat({big_logits, small_logits}, 0),
          .last = features.back(),
          .before_last = features[features.size() - 2],
          .small = small};
}

FastGanJudgement FastGanDiscriminator::judge_fake(const FastGanImages& images) {
  return {.logits = look(images).logits, .whole = {}, .small = {}, .part = {}};
}

template <class Part>
FastGanJudgement FastGanDiscriminator::judge_and_rebuild(const FastGanImages& images,
                                                         const Part& part) {
  const Features features = look(images);
  return {.logits = features.logits,
          .whole = (*decoder_big_)(features.last),
          .small = (*decoder_small_)(features.small),
          .part = (*decoder_part_)(quarter(features.before_last, part))};
}

FastGanJudgement FastGanDiscriminator::judge_real(const FastGanImages& images, int part) {
  return judge_and_rebuild(images, part);
}

FastGanJudgement FastGanDiscriminator::judge_real(const FastGanImages& images, const Tensor& part) {
  return judge_and_rebuild(images, part);
}

}  // namespace gestalt::models
