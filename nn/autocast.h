#pragma once

// Mixed precision: while an AutocastGuard of bf16 lives, convolutions and linear layers that this
// thread calls compute in bf16, from rounded copies of f32 inputs and parameters, and give bf16
// results; softmax and losses take theirs back to f32; every other op keeps the dtype that comes
// (batch norm's statistics and parameters are f32 in any case). Parameters stay f32, and so do
// their gradients. f64 is left alone. (The rule of torch.autocast.)

#include "tensor/tensor.h"

namespace gestalt::nn {

class AutocastGuard {
 public:
  // bf16, or f32: no autocast. Throws Error for other dtypes.
  explicit AutocastGuard(DType dtype);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  DType before_;
};

// x as an op of reduced precision takes it: in the guard's dtype. Itself where there is no guard,
// and where it is undefined, f64 or not floating. Differentiable.
Tensor autocast(const Tensor& x);

// Its dtype, for ops that give their results to one of reduced precision at once.
DType autocast_dtype(const Tensor& x);

// The same for an op that needs f32.
Tensor autocast_to_f32(const Tensor& x);

}  // namespace gestalt::nn
