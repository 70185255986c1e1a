#include "tools/fewshot/not_finite.h"

#include <cmath>

#include "tensor/autograd.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::tools {

std::optional<std::string> find_not_finite(const GanModel& model) {
  const NoGradGuard no_grad;
  std::vector<std::string> names;
  std::vector<Tensor> largest;
  for (const NamedTensor& entry : model.state_dict()) {
    if (entry.tensor.dtype() != DType::f32 || entry.tensor.device() != default_device()) continue;
    names.push_back(entry.name);
    largest.push_back(max(abs(entry.tensor)));
  }
  const std::vector<double> values = stack(largest).to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return names[i];
  }
  return std::nullopt;
}

}  // namespace gestalt::tools
