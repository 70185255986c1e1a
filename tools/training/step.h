#pragma once

// One step of a classifier's training: forward, cross-entropy, backward, the optimizer's step.
//
// With `capture` the kernels of forward and backward are recorded at the first batch of
// `batch_size` images and replayed at every other (tensor/graph.h), to the same bits; a smaller
// batch, as an epoch's last may be, runs as it is. The optimizer's step stays outside of the
// recording: learning rate and step count are host values, and change.

#include <optional>
#include <vector>

#include "nn/module.h"
#include "optim/optimizer.h"
#include "tensor/graph.h"
#include "tensor/tensor.h"

namespace gestalt::tools {

struct ClassifierStepOptions {
  int64_t batch_size = 32;
  double label_smoothing = 0;
  DType dtype = DType::f32;            // of AutocastGuard
  Format format = Format::contiguous;  // of the images in the network
  bool capture = false;                // not with dropout, whose numbers the host counts
};

class ClassifierStep {
 public:
  // network and optimizer outlive the step; the network is in training mode when it runs.
  ClassifierStep(nn::Module& network, optim::Optimizer& optimizer,
                 const ClassifierStepOptions& options);
  ClassifierStep(const ClassifierStep&) = delete;  // the recording knows its address
  ClassifierStep& operator=(const ClassifierStep&) = delete;

  struct Result {
    Tensor loss;    // [], the caller's own
    Tensor logits;  // [N,classes], until the next step
  };
  // images f32 [N,3,H,W], labels i64 [N]. Waits for nothing.
  Result run(const Tensor& images, const Tensor& labels);

 private:
  Result pass(const Tensor& images, const Tensor& labels);
  void capture();

  nn::Module& network_;
  optim::Optimizer& optimizer_;
  ClassifierStepOptions options_;

  // Of the recording: what it reads, and what each replay writes.
  Tensor images_, labels_;
  Result recorded_;
  std::vector<Tensor> parameters_, gradients_;
  std::optional<CapturedGraph> graph_;
};

}  // namespace gestalt::tools
