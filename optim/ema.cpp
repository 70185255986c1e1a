#include "optim/ema.h"

#include "kernels/error.h"
#include "kernels/table.h"
#include "optim/optimizer.h"
#include "optim/state.h"
#include "tensor/autograd.h"

namespace gestalt::optim {

ExponentialMovingAverage::ExponentialMovingAverage(std::vector<Tensor> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  GESTALT_CHECK(decay >= 0 && decay <= 1, "[ema] decay must be in [0, 1], is {}", decay);
  check_parameters("ema", parameters_);
  for (const Tensor& parameter : parameters_) {
    averages_.push_back(Tensor::empty(parameter.shape(), state_options(parameter)));
    averages_.back().copy_(parameter.detach());
  }
}

void ExponentialMovingAverage::update() {
  check_dense("ema", parameters_);
  std::vector<AveragedParameter> entries;
  for (size_t i = 0; i < averages_.size(); ++i) {
    follow(parameters_[i], averages_[i]);
    entries.push_back({flattened(parameters_[i]), flattened(averages_[i])});
  }
  Context& ctx = context(averages_[0].device());
  ctx.kernels().average_step(ctx, entries, decay_);
  for (const Tensor& average : averages_) average.bump_version();
}

void ExponentialMovingAverage::copy_to(const std::vector<Tensor>& parameters) const {
  GESTALT_CHECK(parameters.size() == averages_.size(),
                "[ema] expected as many parameters as there are averages, {}, got {}",
                averages_.size(), parameters.size());
  const NoGradGuard no_grad;
  for (size_t i = 0; i < averages_.size(); ++i) parameters[i].copy_(averages_[i]);
}

StateDict ExponentialMovingAverage::state_dict() const {
  StateDict state;
  for (size_t i = 0; i < averages_.size(); ++i) {
    state.push_back({"average." + std::to_string(i), averages_[i]});
  }
  return state;
}

void ExponentialMovingAverage::load_state_dict(const StateDict& state) {
  std::vector<Tensor> loaded;
  for (size_t i = 0; i < averages_.size(); ++i) {
    const std::string name = "average." + std::to_string(i);
    loaded.push_back(restored("ema", name, require("ema", state, name), parameters_[i].shape(),
                              state_options(parameters_[i])));
  }
  for (size_t i = 0; i < loaded.size(); ++i) take_values(averages_[i], loaded[i]);
}

}  // namespace gestalt::optim
