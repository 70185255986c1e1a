#pragma once

// The building blocks of FastGAN (Liu et al. 2021, "Towards Faster and Stabilized GAN Training for
// High-fidelity Few-shot Image Synthesis"). Convolutions are spectrally normalized and have no
// bias; their weights are drawn from N(0, 0.02), those of batch norms from N(1, 0.02). Parameter
// names are those of the published code.

#include <memory>

#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace gestalt::models {

// How a skip-layer excitation's weights end: in a sigmoid, as the paper of FastGAN and its code
// have it; or as they come from the last convolution: the published code with Top-K makes the
// sigmoid and does not apply it.
enum class Excitation { sigmoid, linear };
const char* to_string(Excitation excitation);  // "sigmoid", "linear"

namespace fastgan {

std::shared_ptr<nn::Module> conv(int64_t in_channels, int64_t out_channels, int64_t kernel,
                                 int64_t stride, int64_t padding, Generator& generator);
std::shared_ptr<nn::BatchNorm2d> batch_norm(int64_t channels, Generator& generator);
std::shared_ptr<nn::Module> leaky_relu();  // of slope 0.2

// Noise [N,1,H,W] of the standard normal distribution, times a learned weight [1] that starts at
// 0, added to x. The noise of a layer depends on the generator that it was made with alone.
class NoiseInjection : public nn::Module {
 public:
  explicit NoiseInjection(uint64_t seed);
  Tensor forward(const Tensor& x) override;

  // For checkpoints: the noise goes on where it was.
  Generator& generator() { return generator_; }

 private:
  Generator generator_;
  Tensor weight_;
};

// Doubles the image: nearest x2, conv 3x3, batch norm, GLU. Children 0 to 3.
std::shared_ptr<nn::Sequential> up_block(int64_t in_channels, int64_t out_channels,
                                         Generator& generator);
// The same with a second convolution, and noise before each batch norm where asked for. Children
// up1, conv1, [noise1], bn1, glu1, conv2, [noise2], bn2, glu2.
std::shared_ptr<nn::Sequential> up_block_comp(int64_t in_channels, int64_t out_channels, bool noise,
                                              Generator& generator);

// Skip-layer excitation: big times weights of its channels that come from `small`. The child `main`
// is adaptive average pooling to 4x4, conv 4x4, Swish, conv 1x1, and a sigmoid where there is one.
class SkipExcitation : public nn::Module {
 public:
  SkipExcitation(int64_t small_channels, int64_t big_channels, Excitation excitation,
                 Generator& generator);
  using nn::Module::forward;  // which throws
  Tensor forward(const Tensor& small, const Tensor& big);

 private:
  std::shared_ptr<nn::Sequential> main_;
};

// Halves the image: conv 4x4 of stride 2, batch norm, leaky ReLU, in the child `main`.
class DownBlock : public nn::Module {
 public:
  DownBlock(int64_t in_channels, int64_t out_channels, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Sequential> main_;
};

// The mean of two ways down: `main`, with a second convolution, and `direct`, average pooling and a
// 1x1 convolution.
class DownBlockComp : public nn::Module {
 public:
  DownBlockComp(int64_t in_channels, int64_t out_channels, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Sequential> main_, direct_;
};

// From features to a picture [N,3,size,size] in [-1, 1], size 16, 32, 64 or 128, in the child
// `main`: adaptive average pooling to 8x8, an up block for each doubling, conv 3x3, tanh.
class SimpleDecoder : public nn::Module {
 public:
  SimpleDecoder(int64_t in_channels, int64_t size, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<nn::Sequential> main_;
};

}  // namespace fastgan
}  // namespace gestalt::models
