#pragma once

// What batch norm, channel statistics and AdaIN do with their groups (groups.cuh).

#include "kernels/cuda/device/groups.cuh"
#include "kernels/cuda/device/operations.cuh"
#include "kernels/cuda/device/statistic.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Sums of x and x^2, both shifted by the group's first element, so that a large mean does not
// cancel the variance.
template <class T>
struct Moments {
  static __host__ __device__ constexpr int column_run(int) { return 8; }
  const T* x;

  struct Of {
    float origin;
  };
  __device__ Of of(int64_t, int64_t origin) const { return {load(x[origin])}; }
  template <int size>
  __device__ Pack<T, size> load_pack(int64_t offset, bool aligned) const {
    return read_pack<size>(x + offset, aligned);
  }
  template <int size>
  __device__ Sample sample(const Of& of, const Pack<T, size>& pack, int i) const {
    return {load(pack.value[i]) - of.origin, 0.0f};
  }
  // Squares are those of the run's mean, in f64, and the deviations from that: if the first element
  // is far from the rest, x^2 is nearly the same everywhere, and f32 would leave nothing of the
  // variance.
  template <int count>
  __device__ void add(const Sample (&samples)[count], int present, double& a, double& b) const {
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < count; ++i) sum += samples[i].first;
    const float center = present == count ? sum * (1.0f / count) : sum / present;
#pragma unroll
    for (int i = 0; i < count; ++i) {
      const float deviation = i < present ? samples[i].first - center : 0.0f;
      squares += deviation * deviation;
    }
    const double center_f64 = center;
    a += sum;
    b += center_f64 * (2.0 * sum - present * center_f64) + squares;
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

  struct Of {
    float center, remainder, factor, shift;
  };
  __device__ Of of(int64_t group) const {
    Of of{center[group], remainder.present() ? remainder[group] : 0.0f, 0.0f, 0.0f};
    of.factor = slope(group, of.shift);
    return of;
  }
  template <int size>
  __device__ Pack<T, size> load_pack(int64_t offset, bool aligned) const {
    return read_pack<size>(x + offset, aligned);
  }
  template <int size>
  __device__ T value(const Of& of, const Pack<T, size>& pack, int i) const {
    return activated(affine(of, pack, i));
  }

 protected:
  template <int size>
  __device__ T affine(const Of& of, const Pack<T, size>& pack, int i) const {
    const float centred = load(pack.value[i]) - of.center - of.remainder;
    return store<T>(centred * of.factor + of.shift);
  }
  __device__ T activated(T value) const { return rectify ? store<T>(Relu{}(load(value))) : value; }
};

// The same with an array added before the ReLU; each step is rounded to T.
template <class T, class Slope>
struct AffineSum : Affine<T, Slope> {
  const T* residual;

  using typename Affine<T, Slope>::Of;
  template <int size>
  struct Loaded {
    Pack<T, size> x, residual;
  };
  template <int size>
  __device__ Loaded<size> load_pack(int64_t offset, bool aligned) const {
    return {read_pack<size>(this->x + offset, aligned),
            read_pack<size>(residual + offset, aligned)};
  }
  template <class Loaded>
  __device__ T value(const Of& of, const Loaded& loaded, int i) const {
    const float affine = load(this->affine(of, loaded.x, i));
    return this->activated(store<T>(affine + load(loaded.residual.value[i])));
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

// dy, or 0 where it did not pass the activation behind: where its result y is not above 0; and x,
// which becomes (x - mean) / spread, or * spread where that is an inverse one.
template <class T>
struct NormalizedInput {
  const T* dy;
  const T* y;  // null: all of dy passes
  const T* x;
  Statistic mean, spread;
  bool inverse;

  struct Of {
    float mean, factor;
  };
  template <int size>
  struct Loaded {
    Pack<T, size> dy, y, x;
  };
  __device__ Of of(int64_t group) const {
    return {mean[group], inverse ? spread[group] : 1.0f / spread[group]};
  }
  template <int size>
  __device__ Loaded<size> load_pack(int64_t offset, bool aligned) const {
    Loaded<size> loaded;
    loaded.dy = read_pack<size>(dy + offset, aligned);
    if (y != nullptr) loaded.y = read_pack<size>(y + offset, aligned);
    loaded.x = read_pack<size>(x + offset, aligned);
    return loaded;
  }
  template <int size>
  __device__ float gradient(const Loaded<size>& loaded, int i) const {
    return y == nullptr || load(loaded.y.value[i]) > 0 ? load(loaded.dy.value[i]) : 0.0f;
  }
  template <int size>
  __device__ float normalized(const Of& of, const Loaded<size>& loaded, int i) const {
    return (load(loaded.x.value[i]) - of.mean) * of.factor;
  }
};

// What dx takes of the sums a and b of its group.
struct GradientAverages {
  struct alignas(8) Of {
    float mean, slope;
  };
  double count, freedom;
  Of* of_group = nullptr;  // [groups], between two launches

  __device__ Of of(double a, double b) const {
    return {static_cast<float>(a / count), static_cast<float>(b / freedom)};
  }
};

// Sums of dy and dy * normalized: the gradients of shift and scale, and what dx needs.
template <class T>
struct GradientSums {
  static __host__ __device__ constexpr int column_run(int size) { return size == 8 ? 2 : 4; }
  using Input = NormalizedInput<T>;
  using Of = typename Input::Of;
  Input input;
  Statistic dshift, dscale;
  GradientAverages averages;

  __device__ Of of(int64_t group, int64_t) const { return input.of(group); }
  template <int size>
  __device__ auto load_pack(int64_t offset, bool aligned) const {
    return input.template load_pack<size>(offset, aligned);
  }
  template <class Loaded>
  __device__ Sample sample(const Of& of, const Loaded& loaded, int i) const {
    const float gradient = input.gradient(loaded, i);
    return {gradient, gradient * input.normalized(of, loaded, i)};
  }
  template <int count>
  __device__ void add(const Sample (&samples)[count], int, double& a, double& b) const {
    float first = 0, second = 0;
#pragma unroll
    for (int i = 0; i < count; ++i) {
      first += samples[i].first;
      second += samples[i].second;
    }
    a += first;
    b += second;
  }
  __device__ void finish(int64_t group, int64_t, double a, double b) const {
    if (dshift.present()) dshift[group] = static_cast<float>(a);
    if (dscale.present()) dscale[group] = static_cast<float>(b);
    if (averages.of_group != nullptr) averages.of_group[group] = averages.of(a, b);
  }
};

// dx = (dy - a / count - normalized * b / freedom) * scale / spread
template <class T>
struct NormalizedGradient {
  using Input = NormalizedInput<T>;
  Input input;
  GradientAverages averages;
  Statistic scale;
  T* out;

  struct Of {
    typename Input::Of input;
    GradientAverages::Of average;
    float factor;
  };
  __device__ Of of(int64_t group) const { return of(group, averages.of_group[group]); }
  __device__ Of of(int64_t group, double a, double b) const { return of(group, averages.of(a, b)); }
  __device__ Of of(int64_t group, const GradientAverages::Of& average) const {
    const typename Input::Of of = input.of(group);
    return {of, average, scale[group] * of.factor};
  }
  template <int size>
  __device__ auto load_pack(int64_t offset, bool aligned) const {
    return input.template load_pack<size>(offset, aligned);
  }
  template <class Loaded>
  __device__ T value(const Of& of, const Loaded& loaded, int i) const {
    const float centred = input.gradient(loaded, i) - of.average.mean -
                          input.normalized(of.input, loaded, i) * of.average.slope;
    return store<T>(centred * of.factor);
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
