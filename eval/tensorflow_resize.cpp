#include "eval/tensorflow_resize.h"

#include <vector>

#include "kernels/error.h"
#include "nn/resize.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::eval {
namespace {

// In f32, as there.
std::vector<float> source_fractions(int64_t size, int64_t outputs) {
  const float scale = static_cast<float>(size) / static_cast<float>(outputs);
  std::vector<float> fractions;
  for (int64_t i = 0; i < outputs; ++i) {
    const float source = static_cast<float>(i) * scale;
    fractions.push_back(source - static_cast<float>(static_cast<int64_t>(source)));
  }
  return fractions;
}

// Element i is x's i + 1; the last is repeated.
Tensor following(const Tensor& x, int axis) {
  const int64_t size = x.size(axis);
  return cat({narrow(x, axis, 1, size - 1), narrow(x, axis, size - 1, 1)}, axis);
}

}  // namespace

// Nearest resizing takes the source's whole part, by the same f32 arithmetic.
Tensor TensorFlowResize::along(const Tensor& x, int axis, int64_t outputs) {
  Tensor& fractions = fractions_[{x.size(axis), axis}];
  if (!fractions.defined() || fractions.device() != x.device()) {
    Shape shape{1, 1, 1, 1};
    shape[axis] = outputs;
    fractions =
        Tensor::from_vector(source_fractions(x.size(axis), outputs), shape, {.device = x.device()});
  }
  Pair size{x.size(2), x.size(3)};
  size[axis - 2] = outputs;
  const Tensor low = nn::resize_nearest(x, size);
  const Tensor high = nn::resize_nearest(following(x, axis), size);
  return low + (high - low) * fractions;
}

Tensor TensorFlowResize::operator()(const Tensor& x) {
  GESTALT_CHECK(x.rank() == 4 && x.dtype() == DType::f32 && x.numel() > 0,
                "[resize] expected f32 [N,C,H,W], got {}", x);
  const NoGradGuard no_grad;
  return along(along(x, 3, width_), 2, height_);
}

}  // namespace gestalt::eval
