#pragma once

// What training steps found, left on the device until somebody asks for it: a step waits for
// nothing.

#include <vector>

#include "tensor/tensor.h"

namespace gestalt::tools {

struct StepResult {
  int64_t step = 0;  // as it was added
  double loss = 0;
  int64_t images = 0, correct = 0;
};

class StepResults {
 public:
  // loss with one element, logits [N,C], labels i64 [N]. Reads no value.
  void add(int64_t step, const Tensor& loss, const Tensor& logits, const Tensor& labels);
  size_t size() const { return waiting_.size(); }
  // Those added since the last call, in order. Waits for the device.
  std::vector<StepResult> take();

 private:
  struct Waiting {
    int64_t step;
    Tensor loss, decisions, labels;
  };
  std::vector<Waiting> waiting_;
};

}  // namespace gestalt::tools
