#pragma once

// In which dtype sums, statistics, losses and optimizers' states over elements of `dtype` are kept:
// what the kernels call "stat" (kernels/table.h).

#include "tensor/tensor.h"

namespace gestalt {

// f64 for f64, else f32: 16 bits hold no long sum.
constexpr DType accumulation_dtype(DType dtype) {
  return dtype == DType::f64 ? DType::f64 : DType::f32;
}

// How statistics of x are stored: on its device, contiguous.
inline TensorOptions stat_options(const Tensor& x) {
  return {accumulation_dtype(x.dtype()), x.device()};
}

}  // namespace gestalt
