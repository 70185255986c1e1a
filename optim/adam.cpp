#include "optim/adam.h"

#include <map>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::optim {

Adam::Adam(std::vector<ParameterGroup<AdamOptions>> groups)
    : GroupedOptimizer("adam", std::move(groups)) {
  for (const auto& group : groups_) Adam::check_options(group.options);
}

void Adam::check_options(const AdamOptions& options) const {
  check_not_negative(name_, "the learning rate", options.learning_rate);
  check_not_negative(name_, "epsilon", options.epsilon);
  check_not_negative(name_, "weight decay", options.weight_decay);
  GESTALT_CHECK(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1,
                "[adam] betas must be in [0, 1), are {} and {}", options.beta1, options.beta2);
}

void Adam::step() {
  check_gradients(name_, parameters_);
  const NoGradGuard no_grad;
  size_t index = 0;
  for (const auto& group : groups_) {
    // Usually all are at the same step, and this is one call.
    std::map<int64_t, std::vector<AdamParameter>> calls;
    std::vector<Tensor> gradients;
    for (const Tensor& parameter : group.parameters) {
      AdamMoments& moments = states_[index++];
      if (!parameter.grad().defined()) continue;
      gradients.push_back(gradient_of(parameter));
      if (moments.step == 0) {
        moments.first = Tensor::zeros(parameter.shape(), state_options(parameter));
        moments.second = Tensor::zeros(parameter.shape(), state_options(parameter));
      }
      for (Tensor* moment : {&moments.first, &moments.second}) follow(parameter, *moment);
      ++moments.step;
      calls[moments.step].push_back({flattened(parameter), flattened(gradients.back()),
                                     flattened(moments.first), flattened(moments.second)});
      parameter.bump_version();
    }
    for (const auto& [step, entries] : calls) {
      Context& ctx = context(parameters_[0].device());
      ctx.kernels().adam_step(ctx, entries,
                              {.learning_rate = group.options.learning_rate,
                               .beta1 = group.options.beta1,
                               .beta2 = group.options.beta2,
                               .epsilon = group.options.epsilon,
                               .weight_decay = group.options.weight_decay,
                               .decoupled_weight_decay = group.options.decoupled_weight_decay,
                               .step = step});
    }
  }
}

void Adam::save_parameter_state(size_t index, const std::string& prefix, StateDict& state) const {
  const AdamMoments& moments = states_[index];
  if (moments.step == 0) return;
  state.push_back(number(prefix + "step", moments.step));
  state.push_back({prefix + "exp_avg", moments.first});
  state.push_back({prefix + "exp_avg_sq", moments.second});
}

AdamMoments Adam::load_parameter_state(size_t index, const std::string& prefix,
                                       const StateDict& state) const {
  AdamMoments moments;
  if (find_tensor(state, prefix + "step") == nullptr) return moments;
  const Tensor& parameter = parameters_[index];
  const auto load = [&](const std::string& name) {
    return restored(name_, name, require(name_, state, name), parameter.shape(),
                    state_options(parameter));
  };
  moments.first = load(prefix + "exp_avg");
  moments.second = load(prefix + "exp_avg_sq");
  moments.step = require_integer(name_, state, prefix + "step");
  return moments;
}

}  // namespace gestalt::optim
