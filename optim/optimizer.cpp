#include "optim/optimizer.h"

#include "kernels/error.h"

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

View flattened(const Tensor& dense) {
  View view = dense.view();
  view.shape = Shape{dense.numel()};
  view.strides = Strides{1};
  return view;
}

Tensor gradient_of(const char* optimizer, const Tensor& parameter) {
  const Tensor gradient = parameter.grad();
  GESTALT_CHECK(gradient.shape() == parameter.shape() && gradient.dtype() == parameter.dtype() &&
                    gradient.device() == parameter.device(),
                "[{}] gradient {} does not fit parameter {}", optimizer, gradient, parameter);
  return gradient.contiguous(parameter.format());
}

TensorOptions state_options(const Tensor& parameter) {
  TensorOptions options = parameter.options();
  options.dtype = parameter.dtype() == DType::f64 ? DType::f64 : DType::f32;
  return options;
}

}  // namespace gestalt::optim
