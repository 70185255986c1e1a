#pragma once

// One step of the training of AdaIN's decoder: the weighted sum of its losses
// (models/adain_loss.h), backward, the optimizer's step.
//
// On the device a step waits for nothing; its losses stay there until somebody reads them.

#include <string>
#include <vector>

#include "nn/sequential.h"
#include "optim/optimizer.h"
#include "tensor/tensor.h"

namespace gestalt::tools {

// Weights of the losses; 0: it is left out, and not computed. One at least is above 0.
struct StylizerStepOptions {
  double content_weight = 1, style_weight = 10, reconstruction_weight = 0;
};

struct StylizerLoss {
  std::string name;
  double weight;
};
// Those that are not left out, in the order content, style, reconstruction.
std::vector<StylizerLoss> stylizer_losses(const StylizerStepOptions& options);

class StylizerStep {
 public:
  // All three outlive the step. The optimizer is one of the decoder's parameters; the encoder's
  // need no gradient.
  StylizerStep(nn::Sequential& encoder, nn::Sequential& decoder, optim::Optimizer& optimizer,
               const StylizerStepOptions& options);

  // content, style: RGB in [0, 1], f32 [N,3,H,W]; the first pictures of the larger batch, where
  // one has fewer. Returns f32 [1 + losses]: the weighted sum, then each of stylizer_losses()
  // without its weight, all of the weights before the step.
  Tensor run(const Tensor& content, const Tensor& style);

 private:
  std::vector<Tensor> losses(const Tensor& content, const Tensor& style) const;

  nn::Sequential& encoder_;
  nn::Sequential& decoder_;
  optim::Optimizer& optimizer_;
  StylizerStepOptions options_;
  std::vector<StylizerLoss> parts_;
};

}  // namespace gestalt::tools
