#pragma once

// Arithmetic with NumPy broadcasting. Both inputs have one dtype and device.

#include "tensor/tensor.h"

namespace gestalt {

Tensor add(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}

}  // namespace gestalt
