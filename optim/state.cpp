#include "optim/state.h"

#include "kernels/error.h"

namespace gestalt::optim {

NamedTensor number(std::string name, double value) {
  return numbers(std::move(name), {value});
}

NamedTensor number(std::string name, int64_t value) {
  return {std::move(name), Tensor::from_vector<int64_t>({value}, {1}, {.device = Device{}})};
}

NamedTensor numbers(std::string name, const std::vector<double>& values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return {std::move(name), Tensor::from_vector<double>(values, shape, {.device = Device{}})};
}

const Tensor& require(const char* owner, const StateDict& state, const std::string& name) {
  const Tensor* tensor = find_tensor(state, name);
  GESTALT_CHECK(tensor != nullptr, "[{}] state dict has no '{}'", owner, name);
  return *tensor;
}

double require_number(const char* owner, const StateDict& state, const std::string& name) {
  const Tensor& tensor = require(owner, state, name);
  GESTALT_CHECK(tensor.numel() == 1, "[{}] '{}' must be one number, is {}", owner, name, tensor);
  return tensor.item();
}

int64_t require_integer(const char* owner, const StateDict& state, const std::string& name) {
  const Tensor& tensor = require(owner, state, name);
  GESTALT_CHECK(tensor.numel() == 1 && tensor.dtype() == DType::i64,
                "[{}] '{}' must be one i64, is {}", owner, name, tensor);
  return tensor.to_vector<int64_t>()[0];
}

std::vector<double> require_numbers(const char* owner, const StateDict& state,
                                    const std::string& name) {
  return require(owner, state, name).to_vector<double>();
}

Tensor restored(const char* owner, const std::string& name, const Tensor& saved, const Shape& shape,
                const TensorOptions& options) {
  GESTALT_CHECK(saved.shape() == shape, "[{}] '{}' must have shape {}, is {}", owner, name, shape,
                saved);
  Tensor tensor = Tensor::empty(shape, options);
  tensor.copy_(saved);
  return tensor;
}

void take_values(Tensor& kept, const Tensor& loaded) {
  if (!kept.defined() || !loaded.defined()) {
    kept = loaded;
    return;
  }
  if (kept.options() == loaded.options()) {
    kept.copy_(loaded);
  } else {
    kept.set_data(loaded);
  }
}

}  // namespace gestalt::optim
