#include "tools/training/step.h"

#include "kernels/error.h"
#include "nn/autocast.h"
#include "nn/dropout.h"
#include "nn/loss.h"
#include "tensor/autograd.h"

namespace gestalt::tools {

ClassifierStep::ClassifierStep(nn::Module& network, optim::Optimizer& optimizer,
                               const ClassifierStepOptions& options)
    : network_(network), optimizer_(optimizer), options_(options) {
  GESTALT_CHECK(!options.capture || !nn::has_dropout(network),
                "a step with dropout can't be recorded: the host counts its random numbers");
}

ClassifierStep::Result ClassifierStep::run(const Tensor& images, const Tensor& labels) {
  Result result;
  if (options_.capture && images.size(0) == options_.batch_size) {
    if (!graph_) {
      images_ = Tensor::empty(images.shape(), {images.dtype(), images.device(), options_.format});
      labels_ = Tensor::empty(labels.shape(), labels.options());
    }
    images_.copy_(images);
    labels_.copy_(labels);
    if (!graph_) capture();
    graph_->replay();
    for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_grad(gradients_[i]);
    result = {recorded_.loss.clone(), recorded_.logits};
  } else {
    result = pass(images.contiguous(options_.format), labels);
  }
  optimizer_.step();
  optimizer_.zero_grad();
  return result;
}

// The gradients are left with the parameters.
ClassifierStep::Result ClassifierStep::pass(const Tensor& images, const Tensor& labels) {
  const nn::AutocastGuard autocast(options_.dtype);
  const Tensor logits = network_(images);
  const Tensor loss =
      nn::cross_entropy(logits, labels, {.label_smoothing = options_.label_smoothing});
  loss.backward();
  return {loss.detach(), logits.detach()};
}

// The warm-up runs of a recording move batch norm's running statistics.
void ClassifierStep::capture() {
  CaptureOptions options;
  for (const nn::Module::Named& buffer : network_.named_buffers()) {
    options.restored.push_back(*buffer.tensor);
  }
  const auto step = [this] {
    network_.zero_grad();
    recorded_ = {};
    recorded_ = pass(images_, labels_);
  };
  graph_.emplace(images_.device(), step, options);
  parameters_ = network_.parameters();
  for (const Tensor& parameter : parameters_) gradients_.push_back(parameter.grad());
}

}  // namespace gestalt::tools
