#pragma once

// Elementwise functions of one tensor: floating dtypes, any shape. The result has x's dtype and a
// dense layout. NaN stays NaN. Gradients at kinks: 0 for abs at 0 and relu at 0, the slope for
// leaky_relu at 0; clamp passes them where low <= x <= high, the ends included.

#include "tensor/tensor.h"

namespace gestalt {

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor pow(const Tensor& x, double exponent);
Tensor clamp(const Tensor& x, double low, double high);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double slope = 0.01);  // slope * x where x <= 0

}  // namespace gestalt
