#include "tools/common/not_finite.h"

#include <cmath>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::tools {

std::optional<std::string> find_not_finite(const StateDict& state) {
  const NoGradGuard no_grad;
  std::vector<std::string> names;
  std::vector<Tensor> largest;
  for (const NamedTensor& entry : state) {
    if (entry.tensor.dtype() != DType::f32 || entry.tensor.device() != default_device() ||
        entry.tensor.numel() == 0) {
      continue;
    }
    names.push_back(entry.name);
    largest.push_back(max(abs(entry.tensor)));
  }
  if (names.empty()) return std::nullopt;
  const std::vector<double> values = stack(largest).to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return names[i];
  }
  return std::nullopt;
}

void check_finite(const StateDict& weights, const std::string& file) {
  const auto tensor = find_not_finite(weights);
  GESTALT_CHECK(!tensor, "'{}': {} holds values that are not finite", file, *tensor);
}

void check_finite_picture(const Tensor& image, const std::string& picture,
                          const std::string& file) {
  GESTALT_CHECK(std::isfinite(max(abs(image)).item()),
                "'{}': {} would hold values that are not finite: the weights are out of bounds",
                file, picture);
}

}  // namespace gestalt::tools
