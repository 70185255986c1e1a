#pragma once

// What a classifier's training steps found, left on the device until somebody asks for it
// (tools/common/loss_ring.h): a step waits for nothing.

#include <vector>

#include "tensor/tensor.h"
#include "tools/common/loss_ring.h"

namespace gestalt::tools {

struct StepResult {
  int64_t step = 0;  // as it was added
  double loss = 0;
  int64_t images = 0, correct = 0;
};

class StepResults {
 public:
  // loss with one element, logits [N,C], labels i64 [N], on the default device. Reads no value. At
  // most most_waiting_steps between two calls of take().
  void add(int64_t step, const Tensor& loss, const Tensor& logits, const Tensor& labels);
  bool full() const { return ring_.full(); }
  // Those added since the last call, in order. Waits for the device.
  std::vector<StepResult> take();

 private:
  LossRing ring_{most_waiting_steps, 2};  // the loss, and how many decisions are right
  std::vector<int64_t> images_;           // of the same steps
};

}  // namespace gestalt::tools
