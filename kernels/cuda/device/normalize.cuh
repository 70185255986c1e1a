#pragma once

// What batch norm, channel statistics and AdaIN do with their groups (groups.cuh).

#include "kernels/cuda/device/groups.cuh"
#include "kernels/cuda/device/operations.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// One f32 a group, or nothing.
struct Statistic {
  float* data = nullptr;
  int64_t stride = 1;

  __device__ bool present() const { return data != nullptr; }
  __device__ float& operator[](int64_t group) const { return data[group * stride]; }
};

// Sums of x and x^2, both shifted by the group's first element, so that a large mean does not
// cancel the variance.
template <class T>
struct Moments {
  const T* x;

  __device__ void map(int64_t, int64_t origin, int64_t offset, double& a, double& b) const {
    const double shifted = static_cast<double>(load(x[offset])) - load(x[origin]);
    a += shifted;
    b += shifted * shifted;
  }
  // The mean, and the sum of squared deviations from it.
  __device__ double centred(int64_t origin, double a, double b, double count, double& mean) const {
    mean = load(x[origin]) + a / count;
    const double squares = b - a * (a / count);
    return squares > 0 ? squares : (squares == squares ? 0 : squares);
  }
};

template <class T>
struct ChannelStats : Moments<T> {
  double count, epsilon;
  Statistic mean, deviation;

  __device__ void finish(int64_t group, int64_t origin, double a, double b) const {
    double center;
    const double squares = this->centred(origin, a, b, count, center);
    mean[group] = static_cast<float>(center);
    deviation[group] = static_cast<float>(::sqrt(squares / (count - 1) + epsilon));
  }
};

template <class T>
struct BatchNormStats : Moments<T> {
  double count, epsilon, momentum;
  Statistic mean, remainder, inverse_std, running_mean, running_variance;

  __device__ void update(const Statistic& running, int64_t group, double value) const {
    if (!running.present()) return;
    running[group] = static_cast<float>((1 - momentum) * running[group] + momentum * value);
  }
  __device__ void finish(int64_t group, int64_t origin, double a, double b) const {
    double center;
    const double squares = this->centred(origin, a, b, count, center);
    mean[group] = static_cast<float>(center);
    remainder[group] = static_cast<float>(center - mean[group]);
    inverse_std[group] = static_cast<float>(1 / ::sqrt(squares / count + epsilon));
    update(running_mean, group, center);
    update(running_variance, group, squares / (count > 1 ? count - 1 : 1));
  }
};

// y = (x - center) * slope + shift: center first, for data far from zero. There even its rounding
// to f32 shows: `remainder`, where present, is what that took off.
template <class T, class Slope>
struct Affine {
  const T* x;
  T* out;
  Statistic center, remainder;
  Slope slope;           // slope(group, shift)
  bool rectify = false;  // a ReLU behind, of the rounded value

  __device__ T operator()(int64_t group, int64_t offset) const {
    float shift;
    const float factor = slope(group, shift);
    float centred = load(x[offset]) - center[group];
    if (remainder.present()) centred -= remainder[group];
    const T value = store<T>(centred * factor + shift);
    return rectify ? store<T>(Relu{}(load(value))) : value;
  }
};

struct AdainSlope {
  Statistic deviation, style_mean, style_deviation;
  __device__ float operator()(int64_t group, float& shift) const {
    shift = style_mean[group];
    return style_deviation[group] / deviation[group];
  }
};

struct BatchNormSlope {
  Statistic weight, bias, inverse_std;
  __device__ float operator()(int64_t group, float& shift) const {
    shift = bias[group];
    return weight[group] * inverse_std[group];
  }
};

struct BatchNormInferenceSlope {
  Statistic weight, bias, variance;
  double epsilon;
  __device__ float operator()(int64_t group, float& shift) const {
    shift = bias[group];
    return static_cast<float>(weight[group] /
                              ::sqrt(static_cast<double>(variance[group]) + epsilon));
  }
};

// The gradient of mean and deviation to x.
struct ChannelStatsSlope {
  Statistic dmean, ddeviation, deviation;
  float count;
  __device__ float operator()(int64_t group, float& shift) const {
    shift = dmean.present() ? dmean[group] / count : 0.0f;
    return ddeviation.present() ? ddeviation[group] / (deviation[group] * (count - 1)) : 0.0f;
  }
};

// (x - mean) / spread, or * spread where that is an inverse one.
template <class T>
struct Normalized {
  const T* x;
  Statistic mean, spread;
  bool inverse;

  __device__ float factor(int64_t group) const {
    return inverse ? spread[group] : 1.0f / spread[group];
  }
  __device__ float operator()(int64_t group, int64_t offset) const {
    return (load(x[offset]) - mean[group]) * factor(group);
  }
};

// dy, or 0 where it did not pass the activation behind: where its result y is not above 0.
template <class T>
struct PassedGradient {
  const T* dy;
  const T* y;  // null: all of dy passes

  __device__ float operator()(int64_t offset) const {
    return y == nullptr || load(y[offset]) > 0 ? load(dy[offset]) : 0.0f;
  }
};

// Sums of dy and dy * normalized: the gradients of shift and scale, and what dx needs.
template <class T>
struct GradientSums {
  PassedGradient<T> dy;
  Normalized<T> normalized;
  Statistic dshift, dscale;
  double* sums;  // [groups, 2], or null

  __device__ void map(int64_t group, int64_t, int64_t offset, double& a, double& b) const {
    const double gradient = dy(offset);
    a += gradient;
    b += gradient * normalized(group, offset);
  }
  __device__ void finish(int64_t group, int64_t, double a, double b) const {
    if (dshift.present()) dshift[group] = static_cast<float>(a);
    if (dscale.present()) dscale[group] = static_cast<float>(b);
    if (sums != nullptr) {
      sums[2 * group] = a;
      sums[2 * group + 1] = b;
    }
  }
};

// dx = (dy - a / count - normalized * b / freedom) * scale / spread
template <class T>
struct NormalizedGradient {
  PassedGradient<T> dy;
  Normalized<T> normalized;
  const double* sums;
  Statistic scale;
  double count, freedom;
  T* out;

  __device__ T operator()(int64_t group, int64_t offset) const {
    const float mean = static_cast<float>(sums[2 * group] / count);
    const float slope = static_cast<float>(sums[2 * group + 1] / freedom);
    const float centred = dy(offset) - mean - normalized(group, offset) * slope;
    return store<T>(centred * (scale[group] * normalized.factor(group)));
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
