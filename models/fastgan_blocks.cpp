#include "models/fastgan_blocks.h"

#include <array>

#include "nn/activations.h"
#include "nn/spectral_norm.h"
#include "tensor/ops/arithmetic.h"

namespace gestalt::models {

const char* to_string(Excitation excitation) {
  return excitation == Excitation::sigmoid ? "sigmoid" : "linear";
}

namespace fastgan {

using nn::make_sequential;
using nn::Sequential;

std::shared_ptr<nn::Module> conv(int64_t in_channels, int64_t out_channels, int64_t kernel,
                                 int64_t stride, int64_t padding, Generator& generator) {
  return std::make_shared<nn::SpectralConv2d>(
      nn::SpectralConv2dOptions{
          .in_channels = in_channels,
          .out_channels = out_channels,
          .kernel = {kernel, kernel},
          .desc = {.stride = {stride, stride}, .padding = {padding, padding}}},
      generator);
}

std::shared_ptr<nn::BatchNorm2d> batch_norm(int64_t channels, Generator& generator) {
  auto result = std::make_shared<nn::BatchNorm2d>(channels);
  result->weight().detach().copy_(generator.normal({channels}, 1, 0.02));
  return result;
}

std::shared_ptr<nn::Module> leaky_relu() {
  return std::make_shared<nn::LeakyReLU>(0.2);
}

NoiseInjection::NoiseInjection(uint64_t seed) : generator_(seed) {
  register_parameter("weight", weight_, Tensor::zeros({1}));
}

Tensor NoiseInjection::forward(const Tensor& x) {
  const Tensor noise =
      generator_.normal({x.size(0), 1, x.size(2), x.size(3)}, 0, 1, {x.dtype(), x.device()});
  return x + noise * weight_.to(x.dtype());
}

std::shared_ptr<Sequential> up_block(int64_t in_channels, int64_t out_channels,
                                     Generator& generator) {
  return make_sequential({
      std::make_shared<nn::Upsample>(2),
      conv(in_channels, 2 * out_channels, 3, 1, 1, generator),
      batch_norm(2 * out_channels, generator),
      std::make_shared<nn::GLU>(),
  });
}

std::shared_ptr<Sequential> up_block_comp(int64_t in_channels, int64_t out_channels, bool noise,
                                          Generator& generator) {
  auto block = std::make_shared<Sequential>();
  const auto stage = [&](int64_t channels, const std::string& number) {
    block->add("conv" + number, conv(channels, 2 * out_channels, 3, 1, 1, generator));
    if (noise) {
      const auto seed = static_cast<uint64_t>(generator.integer(int64_t{1} << 62));
      block->add("noise" + number, std::make_shared<NoiseInjection>(seed));
    }
    block->add("bn" + number, batch_norm(2 * out_channels, generator));
    block->add("glu" + number, std::make_shared<nn::GLU>());
  };
  block->add("up1", std::make_shared<nn::Upsample>(2));
  stage(in_channels, "1");
  stage(out_channels, "2");
  return block;
}

SkipExcitation::SkipExcitation(int64_t small_channels, int64_t big_channels, Excitation excitation,
                               Generator& generator) {
  main_ = register_module("main", make_sequential({
                                      std::make_shared<nn::AdaptiveAvgPool2d>(Pair{4, 4}),
                                      conv(small_channels, big_channels, 4, 1, 0, generator),
                                      std::make_shared<nn::Swish>(),
                                      conv(big_channels, big_channels, 1, 1, 0, generator),
                                  }));
  if (excitation == Excitation::sigmoid) main_->append(std::make_shared<nn::Sigmoid>());
}

Tensor SkipExcitation::forward(const Tensor& small, const Tensor& big) {
  return big * (*main_)(small);
}

DownBlock::DownBlock(int64_t in_channels, int64_t out_channels, Generator& generator) {
  main_ = register_module("main", make_sequential({
                                      conv(in_channels, out_channels, 4, 2, 1, generator),
                                      batch_norm(out_channels, generator),
                                      leaky_relu(),
                                  }));
}

Tensor DownBlock::forward(const Tensor& x) {
  return (*main_)(x);
}

DownBlockComp::DownBlockComp(int64_t in_channels, int64_t out_channels, Generator& generator) {
  main_ = register_module("main", make_sequential({
                                      conv(in_channels, out_channels, 4, 2, 1, generator),
                                      batch_norm(out_channels, generator),
                                      leaky_relu(),
                                      conv(out_channels, out_channels, 3, 1, 1, generator),
                                      batch_norm(out_channels, generator),
                                      leaky_relu(),
                                  }));
  direct_ = register_module("direct", make_sequential({
                                          std::make_shared<nn::AvgPool2d>(Pool2dDesc{}),
                                          conv(in_channels, out_channels, 1, 1, 0, generator),
                                          batch_norm(out_channels, generator),
                                          leaky_relu(),
                                      }));
}

Tensor DownBlockComp::forward(const Tensor& x) {
  return ((*main_)(x) + (*direct_)(x)) * 0.5;
}

SimpleDecoder::SimpleDecoder(int64_t in_channels, int64_t size, Generator& generator) {
  main_ = register_module("main",
                          make_sequential({std::make_shared<nn::AdaptiveAvgPool2d>(Pair{8, 8})}));
  constexpr std::array<int64_t, 4> widths = {128, 64, 64, 32};  // at 16x16, 32x32, 64x64, 128x128
  int64_t channels = in_channels;
  for (size_t block = 0; (int64_t{16} << block) <= size; ++block) {
    main_->append(up_block(channels, widths.at(block), generator));
    channels = widths.at(block);
  }
  main_->append(conv(channels, 3, 3, 1, 1, generator));
  main_->append(std::make_shared<nn::Tanh>());
}

Tensor SimpleDecoder::forward(const Tensor& x) {
  return (*main_)(x);
}

}  // namespace fastgan
}  // namespace gestalt::models
