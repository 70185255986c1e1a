#include "optim/sgd.h"

#include <array>
#include <cmath>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::optim {

Sgd::Sgd(std::vector<ParameterGroup<SgdOptions>> groups)
    : GroupedOptimizer("sgd", std::move(groups)) {
  for (const auto& group : groups_) Sgd::check_options(group.options);
}

void Sgd::check_options(const SgdOptions& options) const {
  check_not_negative(name_, "the learning rate", options.learning_rate);
  check_not_negative(name_, "momentum", options.momentum);
  check_not_negative(name_, "weight decay", options.weight_decay);
  GESTALT_CHECK(std::isfinite(options.dampening), "[sgd] dampening must be finite, is {}",
                options.dampening);
  GESTALT_CHECK(!options.nesterov || (options.momentum > 0 && options.dampening == 0),
                "[sgd] Nesterov's momentum needs momentum, and no dampening; got {} and {}",
                options.momentum, options.dampening);
}

void Sgd::step() {
  check_gradients(name_, parameters_);
  const NoGradGuard no_grad;
  size_t index = 0;
  for (const auto& group : groups_) {
    // Parameters at their first step and later ones are two calls.
    struct Call {
      std::vector<SgdParameter> entries;
      std::vector<View> buffers;
    };
    std::array<Call, 2> calls;
    for (Call& call : calls) call.buffers.reserve(group.parameters.size());  // pointed to
    std::vector<Tensor> gradients;
    const bool has_momentum = group.options.momentum != 0;

    for (const Tensor& parameter : group.parameters) {
      Tensor& buffer = states_[index++];
      if (!parameter.grad().defined()) continue;
      gradients.push_back(gradient_of(parameter));
      const bool first = has_momentum && !buffer.defined();
      if (first) buffer = Tensor::zeros(parameter.shape(), state_options(parameter));
      if (has_momentum) follow(parameter, buffer);
      Call& call = calls[first];
      const View* momentum = nullptr;
      if (has_momentum) momentum = &call.buffers.emplace_back(flattened(buffer));
      call.entries.push_back({flattened(parameter), flattened(gradients.back()), momentum});
      parameter.bump_version();
    }
    for (size_t first = 0; first < calls.size(); ++first) {
      if (calls[first].entries.empty()) continue;
      Context& ctx = context(parameters_[0].device());
      ctx.kernels().sgd_step(ctx, calls[first].entries,
                             {.learning_rate = group.options.learning_rate,
                              .momentum = group.options.momentum,
                              .dampening = group.options.dampening,
                              .weight_decay = group.options.weight_decay,
                              .nesterov = group.options.nesterov,
                              .first_step = first == 1});
    }
  }
}

void Sgd::save_parameter_state(size_t index, const std::string& prefix, StateDict& state) const {
  if (states_[index].defined()) state.push_back({prefix + "momentum_buffer", states_[index]});
}

Tensor Sgd::load_parameter_state(size_t index, const std::string& prefix,
                                 const StateDict& state) const {
  const std::string name = prefix + "momentum_buffer";
  const Tensor* saved = find_tensor(state, name);
  if (saved == nullptr) return {};
  const Tensor& parameter = parameters_[index];
  return restored(name_, name, *saved, parameter.shape(), state_options(parameter));
}

}  // namespace gestalt::optim
