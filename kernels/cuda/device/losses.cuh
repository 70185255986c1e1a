#pragma once

// Losses summed over elements: reductions of reduce.cuh, and their gradients, functions of
// elementwise.cuh. The floors are those of the two.

#include <cmath>

#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

struct SquaredError : SumOf<float> {
  template <class T>
  __device__ float map(int64_t, T a, T b) const {
    const float difference = load(a) - load(b);
    return difference * difference;
  }
};

struct AbsoluteError : SumOf<float> {
  template <class T>
  __device__ float map(int64_t, T a, T b) const {
    return fabsf(load(a) - load(b));
  }
};

// log(1 - p) = -x + log(p): neither logarithm is taken of what was rounded to 0 or 1.
struct BinaryCrossEntropy : SumOf<float> {
  __device__ float map(int64_t, float x, float target) const {
    return (x > 0 ? (1 - target) * x : -target * x) + log1pf(expf(-fabsf(x)));
  }
};

struct LossGradient {
  const float* dy;  // one element
  float scale;
};

struct SquaredErrorBackward : LossGradient {
  __device__ float operator()(float a, float b) const { return scale * *dy * (a - b); }
};

struct AbsoluteErrorBackward : LossGradient {
  __device__ float operator()(float a, float b) const {
    const float factor = scale * *dy;
    return a > b ? factor : (a < b ? -factor : 0.0f);
  }
};

struct BinaryCrossEntropyBackward : LossGradient {
  __device__ float operator()(float x, float target) const {
    return scale * *dy * (1 / (1 + expf(-x)) - target);
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
