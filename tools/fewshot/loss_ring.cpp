#include "tools/fewshot/loss_ring.h"

#include <cmath>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::tools {

void LossRing::note(int64_t step, const Tensor& losses) {
  const auto row = static_cast<int64_t>(steps_.size());
  GESTALT_CHECK(row < losses_.size(0), "[losses] {} steps were noted and not taken", row);
  select(losses_, 0, row).copy_(losses);
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

std::optional<std::string> find_not_finite(const GanModel& model) {
  const NoGradGuard no_grad;
  std::vector<std::string> names;
  std::vector<Tensor> largest;
  for (const NamedTensor& entry : model.state_dict()) {
    if (entry.tensor.dtype() != DType::f32 || entry.tensor.device() != default_device()) continue;
    names.push_back(entry.name);
    largest.push_back(reshape(max(abs(entry.tensor)), {1}));
  }
  const std::vector<double> values = cat(largest, 0).to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return names[i];
  }
  return std::nullopt;
}

}  // namespace gestalt::tools
