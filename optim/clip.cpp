#include "optim/clip.h"

#include <cmath>
#include <limits>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::optim {

double clip_gradient_norm(const std::vector<Tensor>& parameters, double max_norm) {
  GESTALT_CHECK(max_norm >= 0, "[clip_gradient_norm] max_norm must not be negative, is {}",
                max_norm);
  const NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return 0;

  const Tensor& first = gradients[0];
  const Tensor squares =
      Tensor::empty({static_cast<int64_t>(gradients.size())}, stat_options(first));
  Context& ctx = context(first.device());
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Tensor& gradient = gradients[i];
    GESTALT_CHECK(
        gradient.device() == first.device() &&
            accumulation_dtype(gradient.dtype()) == squares.dtype(),
        "[clip_gradient_norm] gradients must be on one device and all f64 or none, got {} on {} "
        "and {} on {}",
        first, first.device(), gradient, gradient.device());
    ctx.kernels().dot(ctx, gradient.view(), gradient.view(),
                      narrow(squares, 0, static_cast<int64_t>(i), 1).view());
  }
  double sum = 0;  // read back at once
  for (double square : squares.to_vector<double>()) sum += square;
  const double norm = std::sqrt(sum);
  // Else all but the elements that are not finite would become 0, and nobody would see it.
  const double factor =
      std::isfinite(norm) ? max_norm / (norm + 1e-6) : std::numeric_limits<double>::quiet_NaN();
  if (!(factor >= 1)) {
    for (Tensor& gradient : gradients) multiply_in_place(gradient, factor);
  }
  return norm;
}

}  // namespace gestalt::optim
