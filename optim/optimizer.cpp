#include "optim/optimizer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "kernels/error.h"
#include "tensor/accumulation.h"

namespace gestalt::optim {
namespace {

// One more than the largest number after `prefix` in the names, "state.12.exp_avg".
size_t count_of(const StateDict& state, std::string_view prefix) {
  size_t count = 0;
  for (const NamedTensor& entry : state) {
    if (!entry.name.starts_with(prefix)) continue;
    size_t number = 0;
    const char* end = entry.name.data() + entry.name.size();
    const auto [rest, error] = std::from_chars(entry.name.data() + prefix.size(), end, number);
    if (error == std::errc() && rest != end && *rest == '.') count = std::max(count, number + 1);
  }
  return count;
}

}  // namespace

void check_not_negative(const char* optimizer, const char* what, double value) {
  GESTALT_CHECK(std::isfinite(value) && value >= 0,
                "[{}] {} must be finite and not negative, is {}", optimizer, what, value);
}

void check_counts(const char* optimizer, const StateDict& state, size_t groups, size_t parameters) {
  const size_t of_groups = count_of(state, "param_groups."),
               of_parameters = count_of(state, "state.");
  GESTALT_CHECK(of_groups <= groups, "[{}] the state dict is of {} parameter groups, there are {}",
                optimizer, of_groups, groups);
  GESTALT_CHECK(of_parameters <= parameters,
                "[{}] the state dict is of {} parameters, there are {}", optimizer, of_parameters,
                parameters);
}

void check_parameters(const char* optimizer, const std::vector<Tensor>& parameters) {
  GESTALT_CHECK(!parameters.empty(), "[{}] no parameters", optimizer);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i];
    GESTALT_CHECK(parameter.defined() && is_floating(parameter.dtype()) && parameter.is_dense() &&
                      parameter.is_leaf(),
                  "[{}] parameter {} must be a dense floating leaf, is {}", optimizer, i,
                  parameter);
    GESTALT_CHECK(parameter.device() == parameters[0].device(),
                  "[{}] parameters must be on one device, got {} and {}", optimizer,
                  parameters[0].device(), parameter.device());
    for (size_t j = 0; j < i; ++j) {
      GESTALT_CHECK(!parameter.is_same(parameters[j]), "[{}] parameter {} is parameter {} again",
                    optimizer, i, j);
    }
  }
}

void check_dense(const char* optimizer, const std::vector<Tensor>& parameters) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    GESTALT_CHECK(parameters[i].is_dense(),
                  "[{}] parameter {} ({}) is not dense since set_data(); give that a clone()",
                  optimizer, i, parameters[i]);
  }
}

void check_gradients(const char* optimizer, const std::vector<Tensor>& parameters) {
  check_dense(optimizer, parameters);
  GESTALT_CHECK(std::any_of(parameters.begin(), parameters.end(),
                            [](const Tensor& parameter) { return parameter.grad().defined(); }),
                "[{}] a step without any gradient: was backward run, and on these parameters?",
                optimizer);
}

View flattened(const Tensor& dense) {
  View view = dense.view();
  view.shape = Shape{dense.numel()};
  view.strides = Strides{1};
  return view;
}

Tensor gradient_of(const Tensor& parameter) {
  return parameter.grad().contiguous(parameter.format());
}

TensorOptions state_options(const Tensor& parameter) {
  TensorOptions options = parameter.options();
  options.dtype = accumulation_dtype(parameter.dtype());
  return options;
}

void follow(const Tensor& parameter, Tensor& state) {
  const TensorOptions wanted = state_options(parameter);
  if (state.options() == wanted) return;
  Tensor moved = Tensor::empty(state.shape(), wanted);
  moved.copy_(state);
  state.set_data(moved);
}

}  // namespace gestalt::optim
