#include "tensor/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/error.h"
#include "tensor/autograd.h"

namespace gestalt {
namespace {

double weight_of(int64_t element) {
  return std::cos(1.0 + 0.7 * static_cast<double>(element));
}

double objective(const std::vector<Tensor>& outputs) {
  double sum = 0;
  for (const Tensor& output : outputs) {
    const std::vector<double> values = output.to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      sum += values[i] * weight_of(static_cast<int64_t>(i));
    }
  }
  return sum;
}

double root_mean_square(const std::vector<double>& values) {
  double squares = 0, finite = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    squares += value * value;
    ++finite;
  }
  return finite > 0 ? std::sqrt(squares / finite) : 0;
}

double error_of(double backward, double difference, double rms) {
  if (backward == difference || (std::isnan(backward) && std::isnan(difference))) return 0;
  const double error = std::abs(backward - difference) / (std::abs(difference) + rms);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

// A tensor's values, one of which moves; put back at the end, whatever is thrown meanwhile.
class Moved {
 public:
  explicit Moved(const Tensor& tensor)
      : tensor_(tensor), original_(tensor.to_vector<double>()), values_(original_) {}
  ~Moved() { write(original_); }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

  void move(size_t element, double by) {
    values_[element] = original_[element] + by;
    write(values_);
    values_[element] = original_[element];
  }

 private:
  void write(const std::vector<double>& values) {
    tensor_.copy_(Tensor::from_vector(values, tensor_.shape(), {.device = Device{}}));
  }

  Tensor tensor_;
  std::vector<double> original_, values_;
};

}  // namespace

Tensor objective_weights(const Tensor& output, std::optional<DType> rounded) {
  std::vector<double> values(static_cast<size_t>(output.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = weight_of(static_cast<int64_t>(i));
  return Tensor::from_vector(values, output.shape(), {.device = Device{}})
      .to(rounded.value_or(output.dtype()))
      .to(output.dtype())
      .to(output.device())
      .contiguous(output.format());
}

std::string to_string(const Gradcheck& result) {
  return format("input {}, element {}: backward {}, central difference {} (error {}, allowed {})",
                result.input, result.element, result.backward, result.difference, result.error,
                result.allowed);
}

Gradcheck gradcheck(const TensorFunction& run, const std::vector<Tensor>& inputs,
                    const GradcheckOptions& options) {
  GESTALT_CHECK(options.step > 0 && options.most_elements > 0,
                "[gradcheck] the step and the number of elements must be positive, are {} and {}",
                options.step, options.most_elements);
  std::vector<Tensor> checked;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !inputs[i].requires_grad()) continue;
    GESTALT_CHECK(inputs[i].is_leaf() && inputs[i].dtype() == DType::f64,
                  "[gradcheck] input {} must be a leaf of f64, is {}", i, inputs[i]);
    checked.push_back(inputs[i]);
    places.push_back(i);
  }
  GESTALT_CHECK(!checked.empty(), "[gradcheck] no input requires a gradient");

  const std::vector<Tensor> outputs = run(inputs);
  std::vector<Tensor> weights;
  for (const Tensor& output : outputs) weights.push_back(objective_weights(output));
  const std::vector<Tensor> analytic = gradients(outputs, weights, checked);

  const NoGradGuard no_grad;
  Gradcheck worst{.error = -1, .allowed = options.tolerance, .input = places[0]};
  for (size_t i = 0; i < checked.size(); ++i) {
    const std::vector<double> backward = analytic[i].to_vector<double>();
    std::vector<double> numeric = backward;  // an estimate of the rms where few are moved
    const size_t stride = (backward.size() - 1) / static_cast<size_t>(options.most_elements) + 1;
    Moved moved(checked[i]);
    for (size_t j = 0; j < backward.size(); j += stride) {
      moved.move(j, options.step);
      const double above = objective(run(inputs));
      moved.move(j, -options.step);
      const double below = objective(run(inputs));
      numeric[j] = (above - below) / (2 * options.step);
    }
    const double rms = root_mean_square(numeric);
    for (size_t j = 0; j < backward.size(); j += stride) {
      const double error = error_of(backward[j], numeric[j], rms);
      if (error <= worst.error) continue;
      worst = {error,       options.tolerance, places[i], static_cast<int64_t>(j),
               backward[j], numeric[j]};
    }
  }
  worst.error = std::max(worst.error, 0.0);  // inputs without elements
  return worst;
}

}  // namespace gestalt
