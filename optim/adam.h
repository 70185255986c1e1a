#pragma once

// Adam and AdamW, as torch.optim.Adam and AdamW, fused over the parameters of a group:
//   AdamW: p = p * (1 - learning_rate * weight_decay);   Adam: g = gradient + weight_decay * p
//   m = beta1 * m + (1 - beta1) * g,   v = beta2 * v + (1 - beta2) * g^2
//   p = p - learning_rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)
// with t counted for each parameter, from 1.
//
// State: step, exp_avg (m), exp_avg_sq (v).
//
// Source: Kingma and Ba 2015; Loshchilov and Hutter 2019.

#include "optim/optimizer.h"

namespace gestalt::optim {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;  // AdamW

  // torch.optim.AdamW's defaults.
  static AdamOptions adamw(double learning_rate = 1e-3, double weight_decay = 1e-2) {
    return {.learning_rate = learning_rate,
            .weight_decay = weight_decay,
            .decoupled_weight_decay = true};
  }

  template <class Self, class F>
  static void for_each(Self& options, const F& f) {
    f("lr", options.learning_rate);
    f("betas.0", options.beta1);
    f("betas.1", options.beta2);
    f("eps", options.epsilon);
    f("weight_decay", options.weight_decay);
    f("decoupled_weight_decay", options.decoupled_weight_decay);
  }
};

struct AdamMoments {
  Tensor first, second;  // undefined before the parameter's first step
  int64_t step = 0;
};

// As those of tensors (optim/state.h).
inline void take_values(AdamMoments& kept, const AdamMoments& loaded) {
  take_values(kept.first, loaded.first);
  take_values(kept.second, loaded.second);
  kept.step = loaded.step;
}

class Adam : public GroupedOptimizer<AdamOptions, AdamMoments> {
 public:
  Adam(std::vector<Tensor> parameters, const AdamOptions& options)
      : Adam({{std::move(parameters), options}}) {}
  explicit Adam(std::vector<ParameterGroup<AdamOptions>> groups);

  void step() override;

 private:
  void check_options(const AdamOptions& options) const override;
  void save_parameter_state(size_t index, const std::string& prefix,
                            StateDict& state) const override;
  AdamMoments load_parameter_state(size_t index, const std::string& prefix,
                                   const StateDict& state) const override;
};

}  // namespace gestalt::optim
