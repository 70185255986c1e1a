#include "tools/training/step_results.h"

#include "tensor/ops/reduce.h"
#include "tools/training/evaluation.h"

namespace gestalt::tools {

void StepResults::add(int64_t step, const Tensor& loss, const Tensor& logits,
                      const Tensor& labels) {
  waiting_.push_back({step, loss.detach(), argmax(logits.detach(), 1), labels});
}

std::vector<StepResult> StepResults::take() {
  std::vector<StepResult> results;
  for (const Waiting& each : waiting_) {
    results.push_back({each.step, each.loss.item(), each.labels.size(0),
                       count_equal(each.decisions, each.labels)});
  }
  waiting_.clear();
  return results;
}

}  // namespace gestalt::tools
