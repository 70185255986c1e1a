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
  const int64_t size = options.image_size;
  const auto channels = [&](int64_t resolution) {
    return channels_at(resolution, options.base_channels);
  };

  // To at most 256x256.
  down_from_big_ = std::make_shared<nn::Sequential>();
  if (size <= 256) {
    down_from_big_->append(conv(3, channels(512), 3, 1, 1, generator));
  } else if (size == 512) {
    down_from_big_->append(conv(3, channels(512), 4, 2, 1, generator));
  } else {
    down_from_big_->append(conv(3, channels(1024), 4, 2, 1, generator));
    down_from_big_->append(leaky_relu());
    down_from_big_->append(conv(channels(1024), channels(512), 4, 2, 1, generator));
    down_from_big_->append(batch_norm(channels(512), generator));
  }
  down_from_big_->append(leaky_relu());
  register_module("down_from_big", down_from_big_);

  // To 8x8.
  const int64_t blocks = log2(std::min<int64_t>(size, 256) / 8);
  std::vector<int64_t> widths = {channels(512)};  // of the features at scale 2, 4, 8, ...
  for (int64_t i = 0; i < blocks; ++i) {
    widths.push_back(channels(256 >> i));
    down_.push_back(
        register_module("down_" + std::to_string(4 << i),
                        std::make_shared<DownBlockComp>(widths[i], widths[i + 1], generator)));
  }
  const int64_t last = widths.back(), judged = channels(8);
  rf_big_ = std::make_shared<nn::Sequential>();
  rf_big_->append(conv(last, judged, 1, 1, 0, generator));
  rf_big_->append(batch_norm(judged, generator));
  rf_big_->append(leaky_relu());
  rf_big_->append(conv(judged, 1, 4, 1, 0, generator));
  register_module("rf_big", rf_big_);
  for (int64_t i = 0; i + 3 <= blocks; ++i) {
    const std::string name = "se_" + std::to_string(2 << i) + "_" + std::to_string(16 << i);
    excitations_.push_back(register_module(
        name, std::make_shared<SkipExcitation>(widths[i], widths[i + 3], generator)));
  }

  down_from_small_ = std::make_shared<nn::Sequential>();
  down_from_small_->append(conv(3, channels(256), 4, 2, 1, generator));
  down_from_small_->append(leaky_relu());
  int64_t small_width = channels(256);
  for (int64_t resolution = small_size(size) / 2, at = 128; resolution > 8;
       resolution /= 2, at /= 2) {
    down_from_small_->append(std::make_shared<DownBlock>(small_width, channels(at), generator));
    small_width = channels(at);
  }
  register_module("down_from_small", down_from_small_);
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
