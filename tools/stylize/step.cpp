#include "tools/stylize/step.h"

#include <algorithm>

#include "kernels/error.h"
#include "models/adain_loss.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::tools {

std::vector<StylizerLoss> stylizer_losses(const StylizerStepOptions& options) {
  std::vector<StylizerLoss> losses;
  for (const StylizerLoss& loss : {StylizerLoss{"content", options.content_weight},
                                   StylizerLoss{"style", options.style_weight},
                                   StylizerLoss{"reconstruction", options.reconstruction_weight}}) {
    if (loss.weight > 0) losses.push_back(loss);
  }
  return losses;
}

StylizerStep::StylizerStep(nn::Sequential& encoder, nn::Sequential& decoder,
                           optim::Optimizer& optimizer, const StylizerStepOptions& options)
    : encoder_(encoder),
      decoder_(decoder),
      optimizer_(optimizer),
      options_(options),
      parts_(stylizer_losses(options)) {
  GESTALT_CHECK(!parts_.empty(), "[stylizer step] every loss has the weight 0");
}

Tensor StylizerStep::run(const Tensor& content, const Tensor& style) {
  const int64_t count = std::min(content.size(0), style.size(0));
  const std::vector<Tensor> parts =
      losses(narrow(content, 0, 0, count), narrow(style, 0, 0, count));
  Tensor total = parts[0] * parts_[0].weight;
  for (size_t i = 1; i < parts.size(); ++i) total = total + parts[i] * parts_[i].weight;
  total.backward();
  optimizer_.step();
  optimizer_.zero_grad();
  std::vector<Tensor> values = {reshape(total.detach(), {1})};
  for (const Tensor& loss : parts) values.push_back(reshape(loss.detach(), {1}));
  return cat(values, 0);
}

// One a part.
std::vector<Tensor> StylizerStep::losses(const Tensor& content, const Tensor& style) const {
  models::StylizationLoss stylization;
  if (options_.content_weight > 0 || options_.style_weight > 0) {
    stylization = models::stylization_loss(encoder_, decoder_, content, style);
  }
  std::vector<Tensor> losses;
  if (options_.content_weight > 0) losses.push_back(stylization.content);
  if (options_.style_weight > 0) losses.push_back(stylization.style);
  if (options_.reconstruction_weight > 0) {
    losses.push_back(models::reconstruction_loss(encoder_, decoder_, cat({content, style}, 0)));
  }
  return losses;
}

}  // namespace gestalt::tools
