#include "optim/optimizer.h"

#include <algorithm>

#include "kernels/error.h"
#include "tensor/accumulation.h"

namespace gestalt::optim {

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

void check_gradients(const char* optimizer, const std::vector<Tensor>& parameters) {
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
