#pragma once

// The objectives of texture synthesis (Gatys et al. 2015) and activation visualization, both with
// Top-K. N images at once, each with a loss of its own; nothing is shared between images.

#include <memory>
#include <string>
#include <vector>

#include "kernels/descriptors.h"
#include "nn/sequential.h"

namespace gestalt::models {

enum class SynthesisObjective {
  texture,     // Gram matrices of the taps; Top-K on the target's and on the image's activations
  activation,  // the activations themselves; Top-K on the target's alone
};

struct SynthesisOptions {
  SynthesisObjective objective = SynthesisObjective::texture;
  std::vector<std::string> taps = {"relu1_1", "pool1", "pool2", "pool3", "pool4"};
  std::vector<double> tap_weights;  // one a tap; empty: all 1
  double fraction = 0.05;           // kept by Top-K, in (0, 1]
  TopKMode mode = TopKMode::keep;
  DType dtype = DType::f32;  // inside the network; losses are f32, or f64 where this is f64
  Format format = Format::contiguous;  // inside the network
};

// The modules of `network` that the taps need: those up to the last of them. The others' weights
// would take memory that nothing reads. Throws Error for a name that is no child.
std::shared_ptr<nn::Sequential> layers_for(const std::vector<std::string>& taps,
                                           const nn::Sequential& network);

class SynthesisLoss {
 public:
  // targets: [N,3,H,W] f32 (f64 where the dtype is f64) in the network's input space. The network's
  // weights get the options' dtype and layout, and no gradients.
  SynthesisLoss(std::shared_ptr<nn::Sequential> network, const SynthesisOptions& options,
                const Tensor& targets);

  // Losses [N] of images [N,3,H,W]: sum over taps of weight * (1e9 / 4) * sum((a - target)^2),
  // with a the Gram matrix A A^T / (C*H*W) of the tap, or the tap itself.
  Tensor operator()(const Tensor& images) const;

  // One a tap: Gram matrices [N,C,C] or activations [N,C,H,W].
  const std::vector<Tensor>& targets() const { return targets_; }
  const SynthesisOptions& options() const { return options_; }

 private:
  Tensor represent(const Tensor& tap, bool is_target) const;
  std::vector<Tensor> taps(const Tensor& images) const;

  std::shared_ptr<nn::Sequential> network_;
  SynthesisOptions options_;
  std::vector<Tensor> targets_;
};

// The images that lie within the range of their targets: image = sigmoid(u) * range + minimum,
// range and minimum those of each target's values. Its inverse is infinite at both ends; there u is
// cut at +-logit(1 - 1e-6), which moves the image by a millionth of the range.
class BoundedImages {
 public:
  explicit BoundedImages(const Tensor& targets);     // [N,3,H,W]
  Tensor to_images(const Tensor& u) const;           // differentiable
  Tensor to_parameters(const Tensor& images) const;  // values outside the range are cut to it

 private:
  Tensor minimum_, range_;  // [N,1,1,1]
};

}  // namespace gestalt::models
