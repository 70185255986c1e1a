#pragma once

// Optimizer: what schedules and checkpoints need of SGD and Adam. GroupedOptimizer: their parameter
// groups.
//
// Parameters are dense floating leaves, each in one group, all on one device. A parameter without
// gradient is left as it is, its state too; a step where none has one is an Error: backward was
// forgotten. The states are f32 (f64 for f64 parameters), in the parameter's layout and on its
// device. A parameter that moves to another device (Module::to) takes its state along.
//
// State dicts have torch's names, with parameters counted through all groups:
// state.{parameter}.{exp_avg, momentum_buffer, ...} and param_groups.{group}.{lr, momentum, ...};
// loading restores both, or throws Error naming the key and changes nothing; a state of more groups
// or parameters than there are does not fit either. Saved states share memory with the optimizer.
//
// Options that no update rule can mean (a learning rate below 0 or not finite, ...) are an Error,
// in constructors, set_learning_rate and load_state_dict alike.

#include <string>
#include <utility>
#include <vector>

#include "kernels/error.h"
#include "optim/state.h"
#include "tensor/tensor.h"

namespace gestalt::optim {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  virtual void step() = 0;
  virtual void zero_grad() = 0;  // forgets the gradients

  virtual size_t groups() const = 0;
  virtual double learning_rate(size_t group = 0) const = 0;
  virtual void set_learning_rate(double learning_rate, size_t group = 0) = 0;

  virtual StateDict state_dict() const = 0;
  virtual void load_state_dict(const StateDict& state) = 0;
};

// What every constructor checks.
void check_parameters(const char* optimizer, const std::vector<Tensor>& parameters);
// What every step checks: set_data() may have given a parameter memory with gaps, or another order
// than a row's.
void check_dense(const char* optimizer, const std::vector<Tensor>& parameters);
// And that some parameter has a gradient.
void check_gradients(const char* optimizer, const std::vector<Tensor>& parameters);
// The memory of a dense tensor as one row.
View flattened(const Tensor& dense);
// The gradient in the parameter's layout.
Tensor gradient_of(const Tensor& parameter);
// Throws Error naming the value where it is no finite number of at least 0.
void check_not_negative(const char* optimizer, const char* what, double value);
// Throws Error where a state dict is of more parameter groups or parameters than there are.
void check_counts(const char* optimizer, const StateDict& state, size_t groups, size_t parameters);
// How the state of a parameter is stored.
TensorOptions state_options(const Tensor& parameter);
// Stores it so where the parameter has other options since it was made.
void follow(const Tensor& parameter, Tensor& state);

template <class Options>
struct ParameterGroup {
  std::vector<Tensor> parameters;
  Options options;
};

// Options have `learning_rate` and `template for_each(options, f)`, which calls f(torch's name,
// member) for each of them. State: what is kept of a parameter between steps.
template <class Options, class State>
class GroupedOptimizer : public Optimizer {
 public:
  void zero_grad() override {
    for (auto& group : groups_) {
      for (Tensor& parameter : group.parameters) parameter.set_grad({});
    }
  }

  size_t groups() const override { return groups_.size(); }
  double learning_rate(size_t group = 0) const override {
    check_group(group);
    return groups_[group].options.learning_rate;
  }
  void set_learning_rate(double learning_rate, size_t group = 0) override {
    check_group(group);
    Options options = groups_[group].options;
    options.learning_rate = learning_rate;
    check_options(options);
    groups_[group].options = options;
  }

  StateDict state_dict() const override {
    StateDict state;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      save_parameter_state(i, "state." + std::to_string(i) + ".", state);
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      const std::string prefix = "param_groups." + std::to_string(g) + ".";
      Options::for_each(groups_[g].options, [&](const char* name, const auto& value) {
        state.push_back(number(prefix + name, static_cast<double>(value)));
      });
    }
    return state;
  }

  void load_state_dict(const StateDict& state) override {
    check_counts(name_, state, groups_.size(), parameters_.size());
    std::vector<Options> options;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const std::string prefix = "param_groups." + std::to_string(g) + ".";
      Options::for_each(options.emplace_back(groups_[g].options),
                        [&]<class T>(const char* name, T& value) {
                          value = static_cast<T>(require_number(name_, state, prefix + name));
                        });
      check_options(options.back());
    }
    std::vector<State> states;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      states.push_back(load_parameter_state(i, "state." + std::to_string(i) + ".", state));
    }
    // Only now, when nothing throws any more.
    for (size_t g = 0; g < groups_.size(); ++g) groups_[g].options = options[g];
    for (size_t i = 0; i < states.size(); ++i) take_values(states_[i], states[i]);
  }

 protected:
  GroupedOptimizer(const char* name, std::vector<ParameterGroup<Options>> groups)
      : name_(name), groups_(std::move(groups)) {
    for (const auto& group : groups_) {
      for (const Tensor& parameter : group.parameters) parameters_.push_back(parameter);
    }
    check_parameters(name_, parameters_);
    states_.resize(parameters_.size());
  }

  virtual void check_options(const Options& options) const = 0;  // of a group; throws Error
  // Appends what is kept of parameter `index`, under `prefix`; nothing where nothing is.
  virtual void save_parameter_state(size_t index, const std::string& prefix,
                                    StateDict& state) const = 0;
  virtual State load_parameter_state(size_t index, const std::string& prefix,
                                     const StateDict& state) const = 0;

  void check_group(size_t group) const {
    GESTALT_CHECK(group < groups_.size(), "[{}] no parameter group {}, there are {}", name_, group,
                  groups_.size());
  }

  const char* name_;
  std::vector<ParameterGroup<Options>> groups_;
  std::vector<Tensor> parameters_;  // of all groups
  std::vector<State> states_;       // one a parameter; as constructed before its first step
};

}  // namespace gestalt::optim
