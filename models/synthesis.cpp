#include "models/synthesis.h"

#include <algorithm>

#include "kernels/error.h"
#include "nn/gram.h"
#include "nn/loss.h"
#include "nn/topk.h"
#include "nn/weight_format.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::models {
namespace {

constexpr double loss_scale = 1e9 / 4;

// Image n of a batch; the batch itself where it is the only one.
Tensor image_of(const Tensor& batch, int64_t n) {
  return batch.size(0) == 1 ? batch : narrow(batch, 0, n, 1);
}

}  // namespace

std::shared_ptr<nn::Sequential> layers_for(const std::vector<std::string>& taps,
                                           const nn::Sequential& network) {
  size_t end = 0;
  for (const std::string& tap : taps) end = std::max(end, network.index_of(tap) + 1);
  auto layers = std::make_shared<nn::Sequential>();
  for (size_t i = 0; i < end; ++i) {
    const nn::Module::Child& child = network.children()[i];
    layers->add(child.name, child.module);
  }
  return layers;
}

SynthesisLoss::SynthesisLoss(std::shared_ptr<nn::Sequential> network,
                             const SynthesisOptions& options, const Tensor& targets)
    : network_(std::move(network)), options_(options) {
  if (options_.tap_weights.empty()) options_.tap_weights.assign(options_.taps.size(), 1.0);
  GESTALT_CHECK(options_.tap_weights.size() == options_.taps.size(),
                "{} layers, but {} layer weights", options_.taps.size(),
                options_.tap_weights.size());
  GESTALT_CHECK(options_.fraction > 0 && options_.fraction <= 1,
                "the fraction kept by Top-K must be in (0, 1], got {}", options_.fraction);
  network_->set_requires_grad(false);
  network_->eval();
  network_->to(options_.dtype);
  nn::set_weight_format(*network_, options_.format);
  const NoGradGuard no_grad;
  for (const Tensor& tap : taps(targets)) targets_.push_back(represent(tap, true));
}

std::vector<Tensor> SynthesisLoss::taps(const Tensor& images) const {
  return network_->forward_taps(images.to(options_.dtype).contiguous(options_.format),
                                options_.taps);
}

Tensor SynthesisLoss::represent(const Tensor& tap, bool is_target) const {
  const bool is_texture = options_.objective == SynthesisObjective::texture;
  // Gram matrices are of rows of pixels, and of these Top-K is the faster one.
  Tensor sparse = is_texture ? tap.contiguous() : tap;
  if (is_texture || is_target) {
    sparse = nn::topk(sparse, options_.fraction, options_.mode);
  }
  const Tensor wide = sparse.to(accumulation_dtype(sparse.dtype()));
  return is_texture ? nn::gram_matrices(wide) : wide;
}

Tensor SynthesisLoss::operator()(const Tensor& images) const {
  std::vector<Tensor> losses(images.size(0));
  const std::vector<Tensor> outputs = taps(images);
  for (size_t tap = 0; tap < outputs.size(); ++tap) {
    const Tensor represented = represent(outputs[tap], false);
    for (int64_t n = 0; n < images.size(0); ++n) {
      const Tensor error =
          nn::mse_loss(image_of(represented, n), image_of(targets_[tap], n), nn::Reduction::sum);
      const Tensor loss = error * (loss_scale * options_.tap_weights[tap]);
      losses[n] = losses[n].defined() ? losses[n] + loss : loss;
    }
  }
  for (Tensor& loss : losses) loss = reshape(loss, {1});
  return losses.size() == 1 ? losses[0] : cat(losses, 0);
}

BoundedImages::BoundedImages(const Tensor& targets) {
  const NoGradGuard no_grad;
  minimum_ = min(targets, {1, 2, 3}, true);
  range_ = max(targets, {1, 2, 3}, true) - minimum_;
}

Tensor BoundedImages::to_images(const Tensor& u) const {
  return sigmoid(u) * range_ + minimum_;
}

Tensor BoundedImages::to_parameters(const Tensor& images) const {
  const NoGradGuard no_grad;
  const Tensor floor = clamp(range_, 1e-6, 1e30);  // an image of one colour has no range
  const Tensor p = clamp((images - minimum_) / floor, 1e-6, 1 - 1e-6);
  return log(p) - log(p * -1.0 + 1.0);
}

}  // namespace gestalt::models
