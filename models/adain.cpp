#include "models/adain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/error.h"
#include "kernels/rounding.h"
#include "models/vgg.h"
#include "nn/layers.h"
#include "nn/weight_format.h"
#include "tensor/allocator.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {
namespace {

constexpr int64_t cell = 8;  // pixels of one position of relu4_1

// Children numbered as they are added.
class Builder {
 public:
  explicit Builder(Generator& generator) : generator_(generator) {}

  Builder& conv(int64_t in, int64_t out, int64_t kernel) {
    return add(std::make_shared<nn::Conv2d>(
        nn::Conv2dOptions{
            .in_channels = in, .out_channels = out, .kernel = {kernel, kernel}, .desc = {}},
        generator_));
  }
  Builder& padded_conv(int64_t in, int64_t out) {
    return add(std::make_shared<nn::ReflectionPad2d>(1)).conv(in, out, 3);
  }
  Builder& padded_conv_relu(int64_t in, int64_t out) {
    return padded_conv(in, out).add(std::make_shared<nn::ReLU>());
  }
  Builder& pool() { return add(std::make_shared<nn::MaxPool2d>(Pool2dDesc{.ceil_mode = true})); }
  Builder& upsample() { return add(std::make_shared<nn::Upsample>(2)); }

  std::shared_ptr<nn::Sequential> result() const { return network_; }

 private:
  Builder& add(std::shared_ptr<nn::Module> module) {
    network_->append(std::move(module));
    return *this;
  }

  Generator& generator_;
  std::shared_ptr<nn::Sequential> network_ = std::make_shared<nn::Sequential>();
};

// alpha * AdaIN(features) + (1 - alpha) * features, with the statistics of the whole content.
Tensor restyle(const Tensor& features, const nn::ChannelStats& content,
               const nn::ChannelStats& style, double alpha) {
  const Shape shape{features.size(0), features.size(1), 1, 1};
  const Tensor scale = reshape(style.deviation / content.deviation, shape);
  const Tensor target =
      (features - reshape(content.mean, shape)) * scale + reshape(style.mean, shape);
  return target * alpha + features * (1 - alpha);
}

// One axis of a tile: what it decides, [begin, end), and what it reads with `margin` on each side.
struct Span {
  int64_t begin, end, read_begin, read_end;
};

std::vector<Span> spans(int64_t size, int64_t tile, int64_t margin) {
  std::vector<Span> result;
  for (int64_t begin = 0; begin < size; begin += tile) {
    const int64_t end = std::min(begin + tile, size);
    result.push_back(
        {begin, end, std::max<int64_t>(begin - margin, 0), std::min(end + margin, size)});
  }
  return result;
}

Tensor part(const Tensor& x, const Span& rows, const Span& columns) {
  const Tensor band = narrow(x, 2, rows.read_begin, rows.read_end - rows.read_begin);
  return narrow(band, 3, columns.read_begin, columns.read_end - columns.read_begin);
}

// Running mean and sum of squared deviations a channel (Chan, Golub, LeVeque 1979).
struct Moments {
  int64_t count = 0;
  std::vector<double> mean, squares;

  void add(const Tensor& features) {
    const int64_t channels = features.size(1), positions = features.numel() / channels;
    mean.resize(channels);
    squares.resize(channels);
    const std::vector<float> values = features.to_vector<float>();
    const double total = static_cast<double>(count + positions);
    for (int64_t c = 0; c < channels; ++c) {
      const float* row = values.data() + c * positions;
      const double tile_mean = std::accumulate(row, row + positions, 0.0) / positions;
      double tile_squares = 0;
      for (int64_t i = 0; i < positions; ++i) {
        tile_squares += (row[i] - tile_mean) * (row[i] - tile_mean);
      }
      const double step = tile_mean - mean[c];
      mean[c] += step * positions / total;
      squares[c] += tile_squares + step * step * count * positions / total;
    }
    count += positions;
  }

  nn::ChannelStats stats(Device device) const {
    const int64_t channels = static_cast<int64_t>(mean.size());
    std::vector<float> means(mean.begin(), mean.end()), deviations;
    for (const double sum : squares) {
      const double variance = sum / static_cast<double>(std::max<int64_t>(count - 1, 1));
      deviations.push_back(static_cast<float>(std::sqrt(variance + nn::adain_epsilon)));
    }
    return {Tensor::from_vector(means, {1, channels}, {.device = device}),
            Tensor::from_vector(deviations, {1, channels}, {.device = device})};
  }
};

// Tiles at the image's sides have other shapes than those inside. Cached blocks that fit no more
// are given back, or they would pile up.
class TileMemory {
 public:
  explicit TileMemory(Device device) : device_(device) {}
  void begin(const Tensor& tile) {
    if (!(tile.shape() == shape_)) empty_cache(device_);
    shape_ = tile.shape();
  }

 private:
  Device device_;
  Shape shape_;
};

void check_image(const Tensor& image) {
  GESTALT_CHECK(image.rank() == 4 && image.size(0) == 1 && image.size(1) == 3,
                "[stylize] expected one image [1,3,H,W], got {}", image);
  GESTALT_CHECK(image.size(2) >= adain_least_side && image.size(3) >= adain_least_side,
                "[stylize] the image must be at least {}x{}, got {}x{}", adain_least_side,
                adain_least_side, image.size(2), image.size(3));
}

}  // namespace

std::shared_ptr<nn::Sequential> make_adain_encoder(Generator& generator) {
  Builder builder(generator);
  builder.conv(3, 3, 1).padded_conv_relu(3, 64).padded_conv_relu(64, 64).pool();
  builder.padded_conv_relu(64, 128).padded_conv_relu(128, 128).pool();
  builder.padded_conv_relu(128, 256);
  for (int i = 0; i < 3; ++i) builder.padded_conv_relu(256, 256);
  return builder.pool().padded_conv_relu(256, 512).result();
}

std::shared_ptr<nn::Sequential> make_adain_decoder(Generator& generator) {
  Builder builder(generator);
  builder.padded_conv_relu(512, 256).upsample();
  for (int i = 0; i < 3; ++i) builder.padded_conv_relu(256, 256);
  builder.padded_conv_relu(256, 128).upsample();
  builder.padded_conv_relu(128, 128).padded_conv_relu(128, 64).upsample();
  return builder.padded_conv_relu(64, 64).padded_conv(64, 3).result();
}

void init_adain_decoder(nn::Sequential& decoder, Generator& generator) {
  const NoGradGuard no_grad;
  nn::Conv2d* last = nullptr;
  for (const nn::Module::Child& child : decoder.children()) {
    auto* conv = dynamic_cast<nn::Conv2d*>(child.module.get());
    if (conv == nullptr) continue;
    const Tensor& weight = conv->weight();
    const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
    weight.copy_(generator.normal(weight.shape(), 0, std::sqrt(2 / fan_in), weight.options()));
    conv->bias().fill_(0);
    last = conv;
  }
  GESTALT_CHECK(last != nullptr, "[adain] the decoder has no convolution");
  last->weight().copy_(last->weight() * 0.1);
  last->bias().fill_(0.5);
}

void init_untrained_encoder(nn::Sequential& encoder, Generator& generator) {
  const NoGradGuard no_grad;
  encoder.to(Device{});
  // To B, G, R in grey levels without the photographs' mean.
  auto& input = dynamic_cast<nn::Conv2d&>(encoder.find("0"));
  input.weight().copy_(Tensor::from_vector(std::vector<float>{0, 0, 255, 0, 255, 0, 255, 0, 0},
                                           {3, 3, 1, 1}, {.device = Device{}}));
  input.bias().copy_(Tensor::from_vector(std::vector<float>{-103.939f, -116.779f, -123.68f}, {3},
                                         {.device = Device{}}));
  nn::Sequential rest;
  for (size_t i = 1; i < encoder.children().size(); ++i) {
    rest.add(encoder.children()[i].name, encoder.children()[i].module);
  }
  init_well_scaled(rest, generator, Brightness::seen);
}

StateDict adain_encoder_weights(const StateDict& state) {
  constexpr int last = 30;
  StateDict kept;
  for (const NamedTensor& entry : state) {
    const int layer = std::atoi(entry.name.c_str());
    if (layer <= last) kept.push_back(entry);
  }
  return kept;
}

nn::ChannelStats mix_styles(const std::vector<nn::ChannelStats>& styles,
                            const std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const bool negative = std::any_of(weights.begin(), weights.end(), [](double w) { return w < 0; });
  GESTALT_CHECK(styles.size() == weights.size() && !negative && sum > 0,
                "[mix_styles] {} styles and {} weights: expected as many, none negative, not all "
                "zero",
                styles.size(), weights.size());
  nn::ChannelStats mixed = {styles[0].mean * (weights[0] / sum),
                            styles[0].deviation * (weights[0] / sum)};
  for (size_t i = 1; i < styles.size(); ++i) {
    mixed.mean = mixed.mean + styles[i].mean * (weights[i] / sum);
    mixed.deviation = mixed.deviation + styles[i].deviation * (weights[i] / sum);
  }
  return mixed;
}

Stylizer::Stylizer(std::shared_ptr<nn::Sequential> encoder, std::shared_ptr<nn::Sequential> decoder)
    : encoder_(std::move(encoder)),
      decoder_(std::move(decoder)),
      format_(nn::convolution_format(context(encoder_->parameters().front().device()))) {
  nn::set_weight_format(*encoder_, format_);
  nn::set_weight_format(*decoder_, format_);
}

Tensor Stylizer::encode(const Tensor& image) const {
  return (*encoder_)(image.contiguous(format_));
}

nn::ChannelStats Stylizer::style(const Tensor& image) const {
  const NoGradGuard no_grad;
  check_image(image);
  return nn::channel_stats(encode(image));
}

Tensor Stylizer::stylize(const Tensor& content, const nn::ChannelStats& style, double alpha) const {
  const NoGradGuard no_grad;
  check_image(content);
  const Tensor features = encode(content);
  const Tensor image = (*decoder_)(restyle(features, nn::channel_stats(features), style, alpha));
  return narrow(narrow(image, 2, 0, content.size(2)), 3, 0, content.size(3)).contiguous();
}

nn::ChannelStats Stylizer::content_stats(const Tensor& content, int64_t tile) const {
  const Device device = encoder_->parameters().front().device();
  Moments moments;
  TileMemory memory(device);
  for (const Span& rows : spans(content.size(2), tile, adain_margin)) {
    for (const Span& columns : spans(content.size(3), tile, adain_margin)) {
      const Tensor read = part(content, rows, columns).contiguous().to(device);
      memory.begin(read);
      const Tensor features = encode(read);
      const auto own = [](const Tensor& x, int dim, const Span& span) {
        return narrow(x, dim, (span.begin - span.read_begin) / cell,
                      ceil_div(span.end - span.begin, cell));
      };
      moments.add(own(own(features, 2, rows), 3, columns));
    }
  }
  return moments.stats(device);
}

Tensor Stylizer::stylize_tiled(const Tensor& content, const nn::ChannelStats& style, double alpha,
                               int64_t tile) const {
  const NoGradGuard no_grad;
  check_image(content);
  GESTALT_CHECK(tile >= cell && tile % cell == 0,
                "[stylize] a tile is a positive multiple of {} pixels, not {}", cell, tile);
  const Device device = encoder_->parameters().front().device();
  const nn::ChannelStats stats = content_stats(content, tile);
  Tensor result = Tensor::empty(content.shape(), {.device = Device{}});
  TileMemory memory(device);
  // Twice the margin: the decoder reads features that the encoder made of its own margin.
  for (const Span& rows : spans(content.size(2), tile, 2 * adain_margin)) {
    for (const Span& columns : spans(content.size(3), tile, 2 * adain_margin)) {
      const Tensor read = part(content, rows, columns).contiguous().to(device);
      memory.begin(read);
      const Tensor features = encode(read);
      const Tensor image = (*decoder_)(restyle(features, stats, style, alpha));
      const auto own = [](const Tensor& x, int dim, const Span& span) {
        return narrow(x, dim, span.begin - span.read_begin, span.end - span.begin);
      };
      const Tensor band = narrow(result, 2, rows.begin, rows.end - rows.begin);
      narrow(band, 3, columns.begin, columns.end - columns.begin)
          .copy_(own(own(image, 2, rows), 3, columns));
    }
  }
  return result;
}

}  // namespace gestalt::models
