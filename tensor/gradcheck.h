#pragma once

// Whether the gradients of an op are those of its values: backward against central differences.
// clang-format off
//   const auto run = [](const std::vector<Tensor>& in) {
//     return std::vector{my_op(in[0], in[1])};
//   };
//   Tensor x = generator.normal({2, 3}, 0, 1, {DType::f64});
//   x.set_requires_grad(true);
//   const Gradcheck result = gradcheck(run, {x, w});
//   if (!result.ok()) std::puts(to_string(result).c_str());
// clang-format on
//
// The objective is the sum of all outputs, each element times a fixed weight of its own
// (objective_weights).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double step = 1e-6;       // each element is moved by so much, up and down
  double tolerance = 2e-7;  // the largest error allowed
  // Of each input, spread evenly; all where there are no more.
  int64_t most_elements = 400;
};

// The worst element: |backward - difference| / (|difference| + the rms of its input's gradient);
// infinite where one of them alone is no number, 0 where they are the same.
struct Gradcheck {
  double error = 0, allowed = 0;
  size_t input = 0;
  int64_t element = 0;  // in row-major order
  double backward = 0, difference = 0;

  bool ok() const { return error <= allowed; }
};
// "input 1, element 5: backward 0.25, central difference 0.5 (error 0.4, allowed 2e-07)"
std::string to_string(const Gradcheck& result);

// Of those inputs that require a gradient, each a leaf of f64; they may be parameters that the
// function does not read from its argument. Their values move meanwhile and are put back; their
// grad stays as it is. The function must give the same for the same values. Error: no input
// requires a gradient, one of another dtype, no step.
Gradcheck gradcheck(const TensorFunction& run, const std::vector<Tensor>& inputs,
                    const GradcheckOptions& options = {});

// The objective's weights of an output, like it: its gradient. `rounded`: to that dtype first, so
// that runs in two dtypes have the same objective.
Tensor objective_weights(const Tensor& output, std::optional<DType> rounded = {});

}  // namespace gestalt
