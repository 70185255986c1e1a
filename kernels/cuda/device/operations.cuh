#pragma once

// The functions of the elementwise kernels, on f32. Comparisons are written so that NaN passes.

#include <cmath>

#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Subtract {
  __device__ float operator()(float a, float b) const { return a - b; }
};
struct Multiply {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Divide {
  __device__ float operator()(float a, float b) const { return a / b; }
};
struct AddScaled {
  float scale;
  __device__ float operator()(float a, float b) const { return a + scale * b; }
};
struct AddScalar {
  float scalar;
  __device__ float operator()(float x) const { return x + scalar; }
};
struct AddWhole {
  int64_t scalar;
  __device__ int64_t operator()(int64_t x) const { return x + scalar; }
};
struct MultiplyScalar {
  float scalar;
  __device__ float operator()(float x) const { return x * scalar; }
};
struct Square {
  __device__ float operator()(float x) const { return x * x; }
};
struct Cube {
  __device__ float operator()(float x) const { return x * x * x; }
};
struct Power {
  float exponent;
  __device__ float operator()(float x) const { return powf(x, exponent); }
};
struct PowerBackward {
  float exponent, exponent_minus_1;
  __device__ float operator()(float dy, float x) const {
    if (exponent == 0) return 0;  // a constant, at x = 0 too
    if (exponent == 2) return dy * (2 * x);
    if (exponent == 3) return dy * (3 * (x * x));
    return dy * (exponent * powf(x, exponent_minus_1));
  }
};
struct Exp {
  __device__ float operator()(float x) const { return expf(x); }
};
struct Log {
  __device__ float operator()(float x) const { return logf(x); }
};
struct Sqrt {
  __device__ float operator()(float x) const { return sqrtf(x); }
};
struct SqrtBackward {
  __device__ float operator()(float dy, float y) const { return dy / (2 * y); }
};
struct Abs {
  __device__ float operator()(float x) const { return fabsf(x); }
};
struct AbsBackward {
  __device__ float operator()(float dy, float x) const { return x > 0 ? dy : (x < 0 ? -dy : 0.0f); }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return 1 / (1 + expf(-x)); }
};
struct SigmoidBackward {
  __device__ float operator()(float dy, float y) const { return dy * ((1 - y) * y); }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct TanhBackward {
  __device__ float operator()(float dy, float y) const { return dy * (1 - y * y); }
};
struct Relu {
  __device__ float operator()(float x) const { return x < 0 ? 0.0f : x; }
};
struct ReluBackward {
  __device__ float operator()(float dy, float y) const { return y > 0 ? dy : 0.0f; }
};
struct LeakyRelu {
  float slope;
  __device__ float operator()(float x) const { return x > 0 ? x : x * slope; }
};
struct LeakyReluBackward {
  float slope;
  __device__ float operator()(float dy, float x) const { return x > 0 ? dy : dy * slope; }
};
struct Clamp {
  float low, high;
  __device__ float operator()(float x) const {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
};
struct ClampBackward {
  float low, high;
  __device__ float operator()(float dy, float x) const { return x >= low && x <= high ? dy : 0.0f; }
};

}  // namespace GESTALT_CUDA_NAMESPACE
