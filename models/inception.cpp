#include "models/inception.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "kernels/conv_form.h"
#include "kernels/error.h"
#include "models/noise_images.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/pool.h"
#include "nn/sequential.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::models {
namespace {

constexpr double norm_epsilon = 1e-3;

// `momentum` 1: one batch in training mode leaves its own statistics as the running ones.
constexpr BatchNormDesc norm_desc = {.epsilon = norm_epsilon, .momentum = 1};

struct ConvOptions {
  std::string name;
  int64_t out = 0;
  Pair kernel{1, 1};
  int64_t stride = 1;
  bool padded = true;  // so that stride 1 keeps the size
};

// Convolution without bias, batch norm, ReLU.
class ConvNorm : public nn::Module {
 public:
  ConvNorm(int64_t in, const ConvOptions& o, Generator& generator) {
    if (o.padded) desc_.padding = {o.kernel[0] / 2, o.kernel[1] / 2};
    desc_.stride = {o.stride, o.stride};
    conv_ = register_module("conv",
                            std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = in,
                                                                           .out_channels = o.out,
                                                                           .kernel = o.kernel,
                                                                           .desc = desc_,
                                                                           .bias = false},
                                                         generator));
    norm_ = register_module("bn", std::make_shared<nn::BatchNorm2d>(o.out, norm_desc));
    const double fan_in = static_cast<double>(in * o.kernel[0] * o.kernel[1]);
    nn::init_normal(conv_->weight(), 0, std::sqrt(2 / fan_in), generator);
    desc_.activation = Activation::relu;
  }

  Tensor forward(const Tensor& x) override {
    const Tensor input = x.contiguous(format_for(x));
    if (is_frozen()) return nn::conv2d(input, conv_->weight(), norm_->bias(), desc_);
    return nn::rectified(*norm_, (*conv_)(input));
  }

  // In place, so that nothing is kept twice; the norm becomes the addition of its bias.
  void freeze() {
    const NoGradGuard no_grad;
    if (is_frozen()) return;
    const Tensor scale = norm_->weight() / sqrt(norm_->running_variance() + norm_epsilon);
    const Tensor bias = norm_->bias() - norm_->running_mean() * scale;
    const Tensor weight = conv_->weight() * reshape(scale, {scale.numel(), 1, 1, 1});
    conv_->weight().detach().copy_(weight);
    norm_->bias().detach().copy_(bias);
    norm_->weight().detach().fill_(1);
    norm_->running_mean().fill_(0);
    norm_->running_variance().fill_(1 - norm_epsilon);
    frozen_ = norm_state();
  }

 private:
  // Whatever changes the norm's tensors counts their version up, or gives them another storage: the
  // norm is computed again, which is also right where it is still the addition of its bias. The
  // storages are kept, so that none of them comes back with another's address.
  struct State {
    std::shared_ptr<Storage> storage;
    uint64_t version;
    bool operator==(const State&) const = default;
  };
  using NormState = std::array<State, 4>;

  bool is_frozen() const { return !is_training() && frozen_ == norm_state(); }
  NormState norm_state() const {
    const auto of = [](const Tensor& x) { return State{x.storage(), x.version()}; };
    return {of(norm_->weight()), of(norm_->bias()), of(norm_->running_mean()),
            of(norm_->running_variance())};
  }

  // On the CPU Winograd, which takes contiguous images, is the fastest where it can be had, and
  // channels-last elsewhere, but that the few and large channels at the beginning are not worth it.
  Format format_for(const Tensor& x) const {
    constexpr int64_t many = 128;
    if (!x.device().is_cpu()) return x.format();
    if (is_for_winograd(conv_->weight().shape(), desc_)) return Format::contiguous;
    return x.size(1) >= many ? Format::channels_last : x.format();
  }

  std::shared_ptr<nn::Conv2d> conv_;
  std::shared_ptr<nn::BatchNorm2d> norm_;
  Conv2dDesc desc_;
  std::optional<NormState> frozen_;
};

enum class BranchPool { none, average, maximum, reduction };  // reduction: maxima, stride 2

Tensor pooled(BranchPool pool, const Tensor& x) {
  constexpr Pool2dDesc same = {
      .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .count_include_pad = false};
  switch (pool) {
    case BranchPool::none:
      return x;
    case BranchPool::average:
      return nn::avg_pool2d(x, same);
    case BranchPool::maximum:
      return nn::max_pool2d(x, same);
    case BranchPool::reduction:
      return nn::max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}});
  }
  throw Error("[inception] no such pooling");
}

struct BranchOptions {
  BranchPool pool = BranchPool::none;
  std::vector<ConvOptions> chain, split;  // split: side by side, on the chain's end
};

// Branches on the same input, their outputs along the channels.
class Block : public nn::Module {
 public:
  Block(int64_t in, const std::vector<BranchOptions>& branches, Generator& generator) {
    for (const BranchOptions& options : branches) {
      Branch branch{options.pool, {}, {}};
      int64_t channels = in;
      for (const ConvOptions& conv : options.chain) {
        branch.chain.push_back(
            register_module(conv.name, std::make_shared<ConvNorm>(channels, conv, generator)));
        channels = conv.out;
      }
      for (const ConvOptions& conv : options.split) {
        branch.split.push_back(
            register_module(conv.name, std::make_shared<ConvNorm>(channels, conv, generator)));
        out_channels_ += conv.out;
      }
      if (options.split.empty()) out_channels_ += channels;
      branches_.push_back(std::move(branch));
    }
  }

  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> outputs;
    for (const Branch& branch : branches_) {
      Tensor y = pooled(branch.pool, x);
      for (const auto& conv : branch.chain) y = (*conv)(y);
      for (const auto& conv : branch.split) outputs.push_back((*conv)(y));
      if (branch.split.empty()) outputs.push_back(y);
    }
    return cat(outputs, 1);
  }

  int64_t out_channels() const { return out_channels_; }

 private:
  struct Branch {
    BranchPool pool;
    std::vector<std::shared_ptr<ConvNorm>> chain, split;
  };
  std::vector<Branch> branches_;
  int64_t out_channels_ = 0;
};

using Branches = std::vector<BranchOptions>;

BranchOptions pool_branch(BranchPool pool, int64_t out) {
  return {.pool = pool, .chain = {{"branch_pool", out}}, .split = {}};
}

BranchOptions chain(std::vector<ConvOptions> convs) {
  return {.chain = std::move(convs), .split = {}};
}

constexpr Pair square3 = {3, 3}, square5 = {5, 5}, row3 = {1, 3}, column3 = {3, 1}, row7 = {1, 7},
               column7 = {7, 1};

// 35x35.
Branches block_a(int64_t pool_out) {
  return {chain({{"branch1x1", 64}}), chain({{"branch5x5_1", 48}, {"branch5x5_2", 64, square5}}),
          chain({{"branch3x3dbl_1", 64},
                 {"branch3x3dbl_2", 96, square3},
                 {"branch3x3dbl_3", 96, square3}}),
          pool_branch(BranchPool::average, pool_out)};
}

// 35x35 to 17x17.
Branches block_b() {
  return {chain({{"branch3x3", 384, square3, 2, false}}),
          chain({{"branch3x3dbl_1", 64},
                 {"branch3x3dbl_2", 96, square3},
                 {"branch3x3dbl_3", 96, square3, 2, false}}),
          {.pool = BranchPool::reduction, .chain = {}, .split = {}}};
}

// 17x17.
Branches block_c(int64_t c) {
  return {chain({{"branch1x1", 192}}),
          chain({{"branch7x7_1", c}, {"branch7x7_2", c, row7}, {"branch7x7_3", 192, column7}}),
          chain({{"branch7x7dbl_1", c},
                 {"branch7x7dbl_2", c, column7},
                 {"branch7x7dbl_3", c, row7},
                 {"branch7x7dbl_4", c, column7},
                 {"branch7x7dbl_5", 192, row7}}),
          pool_branch(BranchPool::average, 192)};
}

// 17x17 to 8x8.
Branches block_d() {
  return {chain({{"branch3x3_1", 192}, {"branch3x3_2", 320, square3, 2, false}}),
          chain({{"branch7x7x3_1", 192},
                 {"branch7x7x3_2", 192, row7},
                 {"branch7x7x3_3", 192, column7},
                 {"branch7x7x3_4", 192, square3, 2, false}}),
          {.pool = BranchPool::reduction, .chain = {}, .split = {}}};
}

// 8x8.
Branches block_e(BranchPool pool) {
  return {chain({{"branch1x1", 320}}),
          {.chain = {{"branch3x3_1", 384}},
           .split = {{"branch3x3_2a", 384, row3}, {"branch3x3_2b", 384, column3}}},
          {.chain = {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, square3}},
           .split = {{"branch3x3dbl_3a", 384, row3}, {"branch3x3dbl_3b", 384, column3}}},
          pool_branch(pool, 192)};
}

}  // namespace

void check_inception_tap(int64_t tap) {
  GESTALT_CHECK(
      std::find(inception_taps.begin(), inception_taps.end(), tap) != inception_taps.end(),
      "[inception] no features of {} channels (known: 64, 192, 768, 2048)", tap);
}

// One step of the network: a child module, or a max pooling where `module` is null. `tap` names the
// features that are taken from its output, by their number of channels.
struct Inception::Stage {
  std::shared_ptr<nn::Module> module;
  int64_t tap = 0;  // 0: none
};

Inception::~Inception() = default;

Inception::Inception(Generator& generator) {
  int64_t channels = 3;
  const auto conv = [&](const ConvOptions& o) {
    auto module = register_module(o.name, std::make_shared<ConvNorm>(channels, o, generator));
    channels = o.out;
    stages_.push_back({module});
  };
  const auto max_pool = [&](int64_t tap) {
    constexpr Pool2dDesc desc = {.kernel = {3, 3}, .stride = {2, 2}};
    stages_.push_back({std::make_shared<nn::MaxPool2d>(desc), tap});
  };
  const auto block = [&](const std::string& name, const Branches& branches, int64_t tap = 0) {
    auto module = register_module(name, std::make_shared<Block>(channels, branches, generator));
    channels = module->out_channels();
    stages_.push_back({module, tap});
  };
  conv({"Conv2d_1a_3x3", 32, square3, 2, false});
  conv({"Conv2d_2a_3x3", 32, square3, 1, false});
  conv({"Conv2d_2b_3x3", 64, square3});
  max_pool(64);
  conv({"Conv2d_3b_1x1", 80});
  conv({"Conv2d_4a_3x3", 192, square3, 1, false});
  max_pool(192);
  block("Mixed_5b", block_a(32));
  block("Mixed_5c", block_a(64));
  block("Mixed_5d", block_a(64));
  block("Mixed_6a", block_b());
  block("Mixed_6b", block_c(128));
  block("Mixed_6c", block_c(160));
  block("Mixed_6d", block_c(160));
  block("Mixed_6e", block_c(192), 768);
  block("Mixed_7a", block_d());
  block("Mixed_7b", block_e(BranchPool::average));
  block("Mixed_7c", block_e(BranchPool::maximum), 2048);
}

std::vector<Tensor> Inception::features(const Tensor& x, std::span<const int64_t> taps) {
  GESTALT_CHECK(x.rank() == 4 && x.size(1) == 3 && x.size(2) >= 75 && x.size(3) >= 75,
                "[inception] expected images [N,3,H,W] of at least 75x75, got {}", x);
  for (const int64_t tap : taps) check_inception_tap(tap);
  std::vector<Tensor> found(taps.size());
  size_t missing = taps.size();
  Tensor y = x;
  for (const Stage& stage : stages_) {
    if (missing == 0) break;
    y = (*stage.module)(y);
    for (size_t i = 0; i < taps.size(); ++i) {
      if (stage.tap != taps[i]) continue;
      found[i] = flatten(nn::adaptive_avg_pool2d(y, {1, 1}), 1);
      --missing;
    }
  }
  return found;
}

Tensor Inception::forward(const Tensor& x) {
  constexpr int64_t last = inception_taps.back();
  return features(x, {&last, 1})[0];
}

void Inception::freeze() {
  for (const NamedModule& entry : named_modules()) {
    if (auto* conv = dynamic_cast<ConvNorm*>(entry.module)) conv->freeze();
  }
}

StateDict inception_weights(const StateDict& state) {
  StateDict kept;
  for (const NamedTensor& entry : state) {
    if (!entry.name.starts_with("fc.") && !entry.name.starts_with("AuxLogits.")) {
      kept.push_back(entry);
    }
  }
  return kept;
}

void init_untrained_inception(Inception& network, Generator& generator) {
  const NoGradGuard no_grad;
  // So that it is the same whatever the default device and mode.
  const ExactGuard exact(Device{}, false);
  network.to(Device{});
  network.train();
  network.forward(noise_images(16, 192, 0.5, generator));
  network.eval();
}

}  // namespace gestalt::models
