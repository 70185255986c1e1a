// Batch norm over N, H, W of each channel; a channel is worked on by one thread, so its sums have
// one order. Statistics are f32 (f64 for f64 data); sums run in f64, which costs nothing here (the
// loops wait for memory) and keeps the variance stable for large means.

#include <cmath>
#include <optional>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/relu_topk.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class Stat>
Stat& at(const View& view, int64_t c) {
  return view.as<Stat>()[c * view.strides[0]];
}

// f(n, h, w) summed over a channel, a row at a time.
template <class T, class F>
double channel_sum(const Image<T>& x, const F& f) {
  double total = 0;
  for (int64_t n = 0; n < x.n; ++n) {
    for (int64_t h = 0; h < x.h; ++h) {
      double row = 0;
      for (int64_t w = 0; w < x.w; ++w) row += f(n, h, w);
      total += row;
    }
  }
  return total;
}

// y = (x - center) * factor + shift for each channel; subtracting first keeps the digits of data
// that lie far from zero.
template <class T>
struct Affine {
  using Sum = accumulate_t<T>;

  struct Channel {
    Sum center, factor, shift;
    T operator()(T x) const { return T((static_cast<Sum>(x) - center) * factor + shift); }
  };
  std::vector<Channel> channels;

  explicit Affine(int64_t count) : channels(static_cast<size_t>(count)) {}
  const Channel& at(int64_t c) const { return channels[static_cast<size_t>(c)]; }
  void set(int64_t c, double mean, double scale, double bias) {
    const Sum center = static_cast<Sum>(mean);
    channels[static_cast<size_t>(c)] = {
        center, static_cast<Sum>(scale),
        static_cast<Sum>(bias + (static_cast<double>(center) - mean) * scale)};
  }
};

template <class T, class Body>
void for_each_channel(const Image<T>& x, const Body& body) {
  parallel_for(x.c, grain(4 * x.n * x.plane_size()), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) body(c);
  });
}

template <class T, class F>
void map_channel(const Image<T>& x, const Image<T>& y, int64_t c, const F& f) {
  for (int64_t n = 0; n < x.n; ++n) {
    for (int64_t h = 0; h < x.h; ++h) {
      for (int64_t w = 0; w < x.w; ++w) y(n, c, h, w) = f(x(n, c, h, w));
    }
  }
}

// y = affine(x), then desc's activation and Top-K.
template <class T>
void apply(const View& x_view, const View& y_view, const Affine<T>& affine,
           const BatchNormDesc& desc) {
  if (desc.topk) return relu_topk<T>(x_view, y_view, *desc.topk, affine);
  const Image<T> x(x_view), y(y_view);
  for_each_channel(x, [&](int64_t c) {
    const auto map = affine.at(c);
    if (desc.activation == Activation::relu) {
      map_channel(x, y, c, [map](T value) { return rectified(map(value)); });
    } else {
      map_channel(x, y, c, map);
    }
  });
}

// dy, or 0 where it did not pass the activation behind: where its result is not above 0.
template <class T>
struct PassedGradient {
  Image<T> dy;
  std::optional<Image<T>> y;  // absent: all of dy passes

  double operator()(int64_t n, int64_t c, int64_t h, int64_t w) const {
    const bool passed = !y || static_cast<accumulate_t<T>>((*y)(n, c, h, w)) > 0;
    return passed ? static_cast<double>(dy(n, c, h, w)) : 0.0;
  }
};

}  // namespace

void batch_norm_training(Context&, const View& x_view, const View& weight, const View& bias,
                         const View* running_mean, const View* running_variance, const View& y_view,
                         const View& saved_mean, const View& saved_inverse_std,
                         const BatchNormDesc& desc) {
  dispatch<FloatTypes>("batch_norm_training", x_view, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const Image<T> x(x_view);
    const auto count = static_cast<double>(x.n * x.plane_size());
    if (count == 0) return;
    Affine<T> affine(x.c);
    for_each_channel(x, [&](int64_t c) {
      const double mean =
          channel_sum(x, [&](int64_t n, int64_t h,
                             int64_t w) { return static_cast<double>(x(n, c, h, w)); }) /
          count;
      const double squares = channel_sum(x, [&](int64_t n, int64_t h, int64_t w) {
        const double centred = static_cast<double>(x(n, c, h, w)) - mean;
        return centred * centred;
      });
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
    });
    apply(x_view, y_view, affine, desc);
  });
}

void batch_norm_inference(Context&, const View& x_view, const View& weight, const View& bias,
                          const View& running_mean, const View& running_variance,
                          const View& y_view, const BatchNormDesc& desc) {
  dispatch<FloatTypes>("batch_norm_inference", x_view, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    Affine<T> affine(x_view.shape[1]);
    for (int64_t c = 0; c < x_view.shape[1]; ++c) {
      const double variance = at<Stat>(running_variance, c);
      const double scale = at<Stat>(weight, c) / std::sqrt(variance + desc.epsilon);
      affine.set(c, at<Stat>(running_mean, c), scale, at<Stat>(bias, c));
    }
    apply(x_view, y_view, affine, desc);
  });
}

void batch_norm_backward(Context&, const View& dy_view, const View* passed_by, const View& x_view,
                         const View& weight, const View& saved_mean, const View& saved_inverse_std,
                         const View* dx_view, const View* dweight, const View* dbias) {
  dispatch<FloatTypes>("batch_norm_backward", dy_view, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const Image<T> x(x_view);
    const PassedGradient<T> dy{Image<T>(dy_view), passed_by == nullptr
                                                      ? std::nullopt
                                                      : std::optional(Image<T>(*passed_by))};
    const auto count = static_cast<double>(x.n * x.plane_size());
    for_each_channel(x, [&](int64_t c) {
      const double mean = at<Stat>(saved_mean, c), inverse_std = at<Stat>(saved_inverse_std, c);
      const auto normalized = [&](int64_t n, int64_t h, int64_t w) {
        return (static_cast<double>(x(n, c, h, w)) - mean) * inverse_std;
      };
      const double sum =
          channel_sum(x, [&](int64_t n, int64_t h, int64_t w) { return dy(n, c, h, w); });
      const double product = channel_sum(
          x, [&](int64_t n, int64_t h, int64_t w) { return dy(n, c, h, w) * normalized(n, h, w); });
      if (dweight != nullptr) at<Stat>(*dweight, c) = static_cast<Stat>(product);
      if (dbias != nullptr) at<Stat>(*dbias, c) = static_cast<Stat>(sum);
      if (dx_view == nullptr) return;
      const Image<T> dx(*dx_view);
      const double scale = at<Stat>(weight, c) * inverse_std;
      for (int64_t n = 0; n < x.n; ++n) {
        for (int64_t h = 0; h < x.h; ++h) {
          for (int64_t w = 0; w < x.w; ++w) {
            const double centred =
                dy(n, c, h, w) - sum / count - normalized(n, h, w) * product / count;
            dx(n, c, h, w) = static_cast<T>(static_cast<accumulate_t<T>>(scale * centred));
          }
        }
      }
    });
  });
}

}  // namespace gestalt::cpu
