#pragma once

// Comparisons of elements and choices by them: ops of elementwise.cuh, whose floor is theirs.

#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/namespace.h"
#include "kernels/descriptors.h"

namespace GESTALT_CUDA_NAMESPACE {

template <class T>
__device__ inline T comparable(T value) {
  return value;
}
__device__ inline float comparable(bfloat16 value) {
  return load(value);
}
__device__ inline float comparable(float16 value) {
  return load(value);
}

// Which comparison is asked at run time, of all threads alike: a kernel for each would be three
// times as many, and the memory sets the time.
struct Compare {
  Comparison comparison;
  template <class T>
  __device__ uint8_t operator()(T left, T right) const {
    const auto a = comparable(left), b = comparable(right);
    if (comparison == Comparison::equal) return a == b;
    return comparison == Comparison::greater ? a > b : a >= b;
  }
};

// As with comparisons: one kernel for both, which is asked at run time.
struct Extreme {
  bool greatest;
  __device__ float operator()(float a, float b) const {
    const bool beyond = greatest ? a > b : a < b;
    return beyond || a != a ? a : b;
  }
};
struct MaximumBackward {
  __device__ float operator()(float dy, float a, float b) const {
    if (a == b) return dy * 0.5f;
    return a < b ? 0.0f : dy;
  }
};

struct Choose {
  template <class T>
  __device__ T operator()(uint8_t condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
