#include "tools/training/step_results.h"

#include "tensor/ops/compare.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"

namespace gestalt::tools {

void StepResults::add(int64_t step, const Tensor& loss, const Tensor& logits,
                      const Tensor& labels) {
  // f32 holds whole numbers up to 2^24.
  const Tensor correct = sum(equal(argmax(logits.detach(), 1), labels).to(DType::f32));
  ring_.note(step, cat({reshape(loss.detach(), {1}), reshape(correct, {1})}, 0));
  images_.push_back(labels.size(0));
}

std::vector<StepResult> StepResults::take() {
  std::vector<StepResult> results;
  for (const LossRing::Step& each : ring_.take()) {
    results.push_back(
        {each.step, each.losses[0], images_[results.size()], static_cast<int64_t>(each.losses[1])});
  }
  images_.clear();
  return results;
}

}  // namespace gestalt::tools
