#pragma once

// The training of a classifier on one batch: train_classifier's own step (tools/training/step.h).

#include <memory>
#include <utility>

#include "nn/weight_format.h"
#include "optim/sgd.h"
#include "tools/training/step.h"

namespace gestalt::bench {

class ClassifierTraining {
 public:
  // images f32 [N,3,H,W]; the network is on their device. Every label is 0.
  ClassifierTraining(std::shared_ptr<nn::Module> network, Tensor images,
                     const optim::SgdOptions& sgd, const tools::ClassifierStepOptions& options)
      : network_(prepared(std::move(network), options.format)),
        images_(std::move(images)),
        labels_(
            Tensor::zeros({images_.size(0)}, {.dtype = DType::i64, .device = images_.device()})),
        optimizer_(network_->parameters(), sgd),
        step_(*network_, optimizer_, options) {}

  void operator()() { step_.run(images_, labels_); }

 private:
  static std::shared_ptr<nn::Module> prepared(std::shared_ptr<nn::Module> network, Format format) {
    nn::set_weight_format(*network, format);
    network->train();
    return network;
  }

  std::shared_ptr<nn::Module> network_;
  Tensor images_, labels_;
  optim::Sgd optimizer_;
  tools::ClassifierStep step_;
};

}  // namespace gestalt::bench
