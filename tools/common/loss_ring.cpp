#include "tools/common/loss_ring.h"

#include "kernels/error.h"
#include "tensor/ops/shape.h"

namespace gestalt::tools {

void LossRing::note(int64_t step, const Tensor& losses) {
  const auto row = static_cast<int64_t>(steps_.size());
  GESTALT_CHECK(!full(), "[losses] {} steps were noted and not taken", row);
  select(losses_, 0, row).copy_(losses.detach());
  steps_.push_back(step);
}

std::vector<LossRing::Step> LossRing::take() {
  std::vector<Step> result;
  if (steps_.empty()) return result;
  const std::vector<double> values = losses_.to_vector<double>();
  const auto count = static_cast<size_t>(losses_.size(1));
  for (size_t row = 0; row < steps_.size(); ++row) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * count);
    result.push_back({steps_[row], {begin, begin + static_cast<std::ptrdiff_t>(count)}});
  }
  steps_.clear();
  return result;
}

}  // namespace gestalt::tools
