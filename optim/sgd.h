#pragma once

// Stochastic gradient descent, as torch.optim.SGD, fused over the parameters of a group:
//   g = gradient + weight_decay * p
//   v = momentum * v + (1 - dampening) * g        (v = g at a parameter's first step)
//   p = p - learning_rate * (nesterov ? g + momentum * v : v)
//
// State: momentum_buffer, where there is momentum.

#include "optim/optimizer.h"

namespace gestalt::optim {

struct SgdOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;  // needs momentum, and no dampening

  template <class Self, class F>
  static void for_each(Self& options, const F& f) {
    f("lr", options.learning_rate);
    f("momentum", options.momentum);
    f("dampening", options.dampening);
    f("weight_decay", options.weight_decay);
    f("nesterov", options.nesterov);
  }
};

// The state is the momentum buffer, undefined before the parameter's first step.
class Sgd : public GroupedOptimizer<SgdOptions, Tensor> {
 public:
  Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
      : Sgd({{std::move(parameters), options}}) {}
  explicit Sgd(std::vector<ParameterGroup<SgdOptions>> groups);

  void step() override;

 private:
  void check_options(const SgdOptions& options) const override;
  void save_parameter_state(size_t index, const std::string& prefix,
                            StateDict& state) const override;
  Tensor load_parameter_state(size_t index, const std::string& prefix,
                              const StateDict& state) const override;
};

}  // namespace gestalt::optim
