// Batch norm over N, H, W of each channel. Statistics are f32 (f64 for f64 data), their sums f64,
// shifted by the channel's first element: one read of x, and a large mean does not cancel the
// variance. (The first element is one of those summed, so it lies at most sqrt(count) deviations
// off.)

#include <cmath>
#include <vector>

#include "kernels/cpu/channels.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/relu_topk.h"
#include "kernels/cpu/widen.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class Stat>
Stat& at(const View& view, int64_t c) {
  return view.as<Stat>()[c * view.strides[0]];
}

// [N,C] as one image of N pixels, channels last.
View as_image(View view) {
  if (view.rank() == 2) {
    view.shape = {1, view.shape[1], view.shape[0], 1};
    view.strides = strides_of(view.shape, Format::channels_last);
  }
  return view;
}

// The sums of all images: [C].
template <class T, int count, class F>
std::vector<std::array<double, count>> sum_batch(const View& like, const F& f) {
  const auto rows = sum_rows<T, count>(like, f);
  const int64_t channels = like.shape[1];
  std::vector<std::array<double, count>> sums(static_cast<size_t>(channels));
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); ++r) {
    for (int s = 0; s < count; ++s) sums[r % channels][s] += rows[r][s];
  }
  return sums;
}

// y = (x - center) * factor + shift for each channel; subtracting first keeps the digits of data
// that lie far from zero.
template <class T>
class Affine {
 public:
  using Sum = accumulate_t<T>;

  struct Channel {
    Sum center, factor, shift;
    T operator()(T x) const { return narrowed<T>((widened(x) - center) * factor + shift); }
    template <int count>
    Lanes<Stored<T>, count> lanes(const T* from) const {
      return narrow_lanes<T, count>((load_lanes<count>(from) - center) * factor + shift);
    }
  };

  explicit Affine(int64_t channels) : values_(static_cast<size_t>(3 * channels)) {}
  Channel at(int64_t c) const {
    const Sum* value = values_.data() + c;
    return {value[0], value[channels()], value[2 * channels()]};
  }
  template <int count>
  Lanes<Stored<T>, count> lanes(const T* from, int64_t c) const {
    const Sum* value = values_.data() + c;
    return narrow_lanes<T, count>((load_lanes<count>(from) - load_lanes<count>(value)) *
                                      load_lanes<count>(value + channels()) +
                                  load_lanes<count>(value + 2 * channels()));
  }
  void set(int64_t c, double mean, double scale, double bias) {
    const Sum center = static_cast<Sum>(mean);
    values_[c] = center;
    values_[channels() + c] = static_cast<Sum>(scale);
    values_[2 * channels() + c] =
        static_cast<Sum>(bias + (static_cast<double>(center) - mean) * scale);
  }

 private:
  int64_t channels() const { return static_cast<int64_t>(values_.size()) / 3; }

  std::vector<Sum> values_;  // centers, factors, shifts
};

// y = affine(x) + residual, with a ReLU after it; each step is rounded to T.
template <class T, bool rectify>
void apply_sum(const View& x, const View& residual, const View& y, const Affine<T>& affine) {
  const T *in = x.as<T>(), *added = residual.as<T>();
  T* out = y.as<T>();
  if constexpr (std::is_same_v<T, float16>) {  // whose conversions the compiler leaves scalar
    for_image_lanes<T>(x, affine, [=]<int lanes>(LaneCount<lanes>, const auto& of, int64_t offset) {
      T normalized[lanes];
      store_lanes<lanes>(of.template lanes<lanes>(in + offset), normalized);
      const auto sum =
          narrow_lanes<T, lanes>(load_lanes<lanes>(normalized) + load_lanes<lanes>(added + offset));
      if constexpr (rectify) {
        store_lanes<lanes>(rectified_lanes<T>(sum), out + offset);
      } else {
        store_lanes<lanes>(sum, out + offset);
      }
    });
  } else {
    for_channels(x, [&, in, added, out](int64_t, int64_t c, int64_t offset) {
      const T normalized = affine.at(c)(in[offset]);
      const T sum = narrowed<T>(widened(normalized) + widened(added[offset]));
      out[offset] = rectify ? rectified(sum) : sum;
    });
  }
}

// y = affine(x) + residual, then desc's activation and Top-K.
template <class T>
void apply(const View& x, const View* residual, const View& y, const Affine<T>& affine,
           const BatchNormDesc& desc) {
  if (desc.topk) return relu_topk<T>(x, y, *desc.topk, affine);
  const bool rectify = desc.activation == Activation::relu;
  if (residual != nullptr) {
    return rectify ? apply_sum<T, true>(x, *residual, y, affine)
                   : apply_sum<T, false>(x, *residual, y, affine);
  }
  if constexpr (sizeof(T) == 2) {  // whose conversions the compiler leaves scalar, or makes slow
    return rectify ? map_image<T>(x, y, Rectified<T, Affine<T>>{affine})
                   : map_image<T>(x, y, affine);
  }
  const T* in = x.as<T>();
  T* out = y.as<T>();
  if (rectify) {
    for_channels(x, [&, in, out](int64_t, int64_t c, int64_t offset) {
      out[offset] = rectified(affine.at(c)(in[offset]));
    });
  } else {
    for_channels(x, [&, in, out](int64_t, int64_t c, int64_t offset) {
      out[offset] = affine.at(c)(in[offset]);
    });
  }
}

// dy through a ReLU with result y: dy where y > 0, else 0.
template <class T>
struct RectifiedGradient {
  using Sum = accumulate_t<T>;
  const T* dy;
  const T* y;

  template <int count>
  Lanes<Sum, count> lanes(int64_t offset) const {
    const auto gradient = load_lanes<count>(dy + offset);  // in any case: that vectorizes
    return load_lanes<count>(y + offset) > Sum{0} ? gradient : Lanes<Sum, count>{};
  }
};
template <class T>
struct WholeGradient {
  using Sum = accumulate_t<T>;
  const T* dy;

  template <int count>
  Lanes<Sum, count> lanes(int64_t offset) const {
    return load_lanes<count>(dy + offset);
  }
};

// dy.lanes<count>(offset): the gradients of elements side by side.
template <class T, class Gradient>
void backward(const Gradient& dy, const View& x, const View& weight, const View& saved_mean,
              const View& saved_inverse_std, const View* dx, const View* dweight,
              const View* dbias) {
  using Stat = accumulate_t<T>;
  const int64_t channels = x.shape[1];
  const auto count = static_cast<double>(x.numel() / std::max<int64_t>(channels, 1));
  const T* in = x.as<T>();
  std::vector<Stat> mean(channels), inverse_std(channels), scale(channels);
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] = at<Stat>(saved_mean, c);
    inverse_std[c] = at<Stat>(saved_inverse_std, c);
    scale[c] = at<Stat>(weight, c) * inverse_std[c];
  }
  const auto normalized = [in, center = mean.data(), inverse = inverse_std.data()]<int lanes>(
                              LaneCount<lanes>, auto channel, int64_t offset) {
    return (load_lanes<lanes>(in + offset) - channel.values(center)) * channel.values(inverse);
  };
  const auto sums = sum_batch<T, 2>(x, [&]<int lanes>(LaneCount<lanes> count_of, int64_t,
                                                      auto channel, int64_t offset) {
    const auto gradient = convert_lanes<double, lanes>(dy.template lanes<lanes>(offset));
    return std::array{
        gradient, gradient * convert_lanes<double, lanes>(normalized(count_of, channel, offset))};
  });
  std::vector<Stat> average(channels), slope(channels);
  for (int64_t c = 0; c < channels; ++c) {
    const auto [sum, product] = sums[c];
    if (dweight != nullptr) at<Stat>(*dweight, c) = static_cast<Stat>(product);
    if (dbias != nullptr) at<Stat>(*dbias, c) = static_cast<Stat>(sum);
    average[c] = static_cast<Stat>(sum / count);
    slope[c] = static_cast<Stat>(product / count);
  }
  if (dx == nullptr) return;
  T* out = dx->as<T>();
  for_channels(x, [&, out](int64_t, int64_t c, int64_t offset) {
    const Stat centred = dy.template lanes<1>(offset) - average[c] -
                         normalized(LaneCount<1>{}, OneChannel{c}, offset) * slope[c];
    out[offset] = narrowed<T>(centred * scale[c]);
  });
}

}  // namespace

void batch_norm_training(Context&, const View& x_view, const View& weight, const View& bias,
                         const View* residual, const View* running_mean,
                         const View* running_variance, const View& y, const View& saved_mean,
                         const View& saved_inverse_std, const BatchNormDesc& desc) {
  if (x_view.numel() == 0) return;
  const View x = as_image(x_view);
  dispatch<FloatTypes>("batch_norm_training", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const T* in = x.as<T>();
    const int64_t channels = x.shape[1];
    const auto count = static_cast<double>(x.numel() / channels);
    std::vector<double> first(channels);
    for (int64_t c = 0; c < channels; ++c) first[c] = static_cast<double>(in[c * x.strides[1]]);
    const auto sums =
        sum_batch<T, 2>(x, [in, shift = first.data()]<int lanes>(LaneCount<lanes>, int64_t,
                                                                 auto channel, int64_t offset) {
          const Lanes<double, lanes> shifted =
              convert_lanes<double, lanes>(load_lanes<lanes>(in + offset)) - channel.values(shift);
          return std::array{shifted, shifted * shifted};
        });
    Affine<T> affine(channels);
    for (int64_t c = 0; c < channels; ++c) {
      const auto [sum, sum_of_squares] = sums[c];
      const double mean = first[c] + sum / count;
      const double squares = std::max(sum_of_squares - sum * (sum / count), 0.0);
      const double inverse_std = 1 / std::sqrt(squares / count + desc.epsilon);
      at<Stat>(saved_mean, c) = static_cast<Stat>(mean);
      at<Stat>(saved_inverse_std, c) = static_cast<Stat>(inverse_std);
      const auto update = [&](const View* running, double value) {
        if (running == nullptr) return;
        Stat& kept = at<Stat>(*running, c);
        kept = static_cast<Stat>((1 - desc.momentum) * kept + desc.momentum * value);
      };
      update(running_mean, mean);
      update(running_variance, squares / std::max(count - 1, 1.0));
      affine.set(c, mean, at<Stat>(weight, c) * inverse_std, at<Stat>(bias, c));
    }
    apply(x, residual, as_image(y), affine, desc);
  });
}

void batch_norm_inference(Context&, const View& x, const View& weight, const View& bias,
                          const View* residual, const View& running_mean,
                          const View& running_variance, const View& y, const BatchNormDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<FloatTypes>("batch_norm_inference", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    Affine<T> affine(x.shape[1]);
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      const double variance = at<Stat>(running_variance, c);
      const double scale = at<Stat>(weight, c) / std::sqrt(variance + desc.epsilon);
      affine.set(c, at<Stat>(running_mean, c), scale, at<Stat>(bias, c));
    }
    apply(as_image(x), residual, as_image(y), affine, desc);
  });
}

void batch_norm_backward(Context&, const View& dy, const View* relu_output, const View& x,
                         const View& weight, const View& saved_mean, const View& saved_inverse_std,
                         const View* dx, const View* dweight, const View* dbias) {
  dispatch<FloatTypes>("batch_norm_backward", dy, [&]<class T>(std::type_identity<T>) {
    const auto run = [&](const auto& gradient) {
      backward<T>(gradient, as_image(x), weight, saved_mean, saved_inverse_std, dx, dweight, dbias);
    };
    if (relu_output == nullptr) {
      run(WholeGradient<T>{dy.as<T>()});
    } else {
      run(RectifiedGradient<T>{dy.as<T>(), relu_output->as<T>()});
    }
  });
}

}  // namespace gestalt::cpu
