// channel_stats and adain, forward and backward. Sums are taken in double whatever the dtype.

#include <cmath>

#include "kernels/cpu/channels.h"
#include "kernels/cpu/kernels.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

int64_t row_length(const View& x) {
  return x.shape[2] * x.shape[3];
}

}  // namespace

void channel_stats_forward(Context&, const View& x, double epsilon, const View& mean,
                           const View& deviation) {
  dispatch<FloatTypes>("channel_stats_forward", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const T* in = x.as<T>();
    const bool contiguous = x.is_contiguous();
    const int64_t channels = x.shape[1];
    const int64_t length = row_length(x);
    const int64_t rows = x.shape[0] * channels;
    // Shifted by each row's first element, so that a large mean doesn't cancel the variance.
    std::vector<double> first(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      first[r] = static_cast<double>(
          in[contiguous ? r * length : r / channels * channels * length + r % channels]);
    }
    const double* shift = first.data();
    const auto sums = sum_rows<T, 2>(
        x, [=]<int lanes>(LaneCount<lanes>, int64_t n, auto channel, int64_t offset) {
          const Lanes<double, lanes> shifted =
              convert_lanes<double, lanes>(load_lanes<lanes>(in + offset)) -
              channel.values(shift + n * channels);
          return std::array{shifted, shifted * shifted};
        });
    for (int64_t r = 0; r < rows; ++r) {
      const auto [sum, squares] = sums[r];
      const double shifted_mean = sum / length;
      const double variance = std::max(squares - sum * shifted_mean, 0.0) / (length - 1);
      mean.as<Stat>()[r] = static_cast<Stat>(first[r] + shifted_mean);
      deviation.as<Stat>()[r] = static_cast<Stat>(std::sqrt(variance + epsilon));
    }
  });
}

void channel_stats_backward(Context&, const View* dmean, const View* ddeviation, const View& x,
                            const View& mean, const View& deviation, const View& dx) {
  dispatch<FloatTypes>("channel_stats_backward", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const T* in = x.as<T>();
    T* out = dx.as<T>();
    const int64_t channels = x.shape[1], rows = x.shape[0] * channels;
    const int64_t length = row_length(x);
    // dx = constant + slope * (x - mean)
    std::vector<Stat> constant(rows), slope(rows);
    for (int64_t r = 0; r < rows; ++r) {
      if (dmean != nullptr) constant[r] = dmean->as<Stat>()[r] / length;
      if (ddeviation != nullptr) {
        slope[r] = ddeviation->as<Stat>()[r] / (deviation.as<Stat>()[r] * (length - 1));
      }
    }
    const Stat* center = mean.as<Stat>();
    for_channels(x, [&, in, out](int64_t n, int64_t c, int64_t offset) {
      const int64_t r = n * channels + c;
      out[offset] = T(constant[r] + slope[r] * (static_cast<Stat>(in[offset]) - center[r]));
    });
  });
}

void adain_forward(Context& context, const View& x, const View* style, double epsilon,
                   const View& mean, const View& deviation, const View& style_mean,
                   const View& style_deviation, const View& y) {
  if (style != nullptr) {
    channel_stats_forward(context, *style, epsilon, style_mean, style_deviation);
  }
  channel_stats_forward(context, x, epsilon, mean, deviation);
  dispatch<FloatTypes>("adain_forward", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const T* in = x.as<T>();
    T* out = y.as<T>();
    const Stat* center = mean.as<Stat>();
    const Stat* spread = deviation.as<Stat>();
    const Stat* new_center = style_mean.as<Stat>();
    const Stat* new_spread = style_deviation.as<Stat>();
    const int64_t channels = x.shape[1];
    for_channels(x, [=](int64_t n, int64_t c, int64_t offset) {
      const int64_t r = n * channels + c;
      const Stat normalized = (static_cast<Stat>(in[offset]) - center[r]) / spread[r];
      out[offset] = T(normalized * new_spread[r] + new_center[r]);
    });
  });
}

void adain_backward(Context&, const View& dy, const View& x, const View& mean,
                    const View& deviation, const View& style_deviation, const View* dx,
                    const View* dstyle_mean, const View* dstyle_deviation) {
  dispatch<FloatTypes>("adain_backward", x, [&]<class T>(std::type_identity<T>) {
    using Stat = accumulate_t<T>;
    const T* in = x.as<T>();
    const T* grad = dy.as<T>();
    const Stat* center = mean.as<Stat>();
    const Stat* spread = deviation.as<Stat>();
    const Stat* new_spread = style_deviation.as<Stat>();
    const int64_t channels = x.shape[1], length = row_length(x);
    const auto normalized = [=]<int lanes>(LaneCount<lanes>, int64_t n, auto channel,
                                           int64_t offset) {
      return (load_lanes<lanes>(in + offset) - channel.values(center + n * channels)) /
             channel.values(spread + n * channels);
    };
    const auto sums = sum_rows<T, 2>(x, [=]<int lanes>(LaneCount<lanes> count, int64_t n,
                                                       auto channel, int64_t offset) {
      const auto g = convert_lanes<double, lanes>(load_lanes<lanes>(grad + offset));
      return std::array{g, g * convert_lanes<double, lanes>(normalized(count, n, channel, offset))};
    });
    const int64_t rows = static_cast<int64_t>(sums.size());
    for (int64_t r = 0; r < rows; ++r) {
      if (dstyle_mean != nullptr) dstyle_mean->as<Stat>()[r] = static_cast<Stat>(sums[r][0]);
      if (dstyle_deviation != nullptr) {
        dstyle_deviation->as<Stat>()[r] = static_cast<Stat>(sums[r][1]);
      }
    }
    if (dx == nullptr) return;
    // dx = (g - mean(g) - normalized * sum(g * normalized) / (L - 1)) * style_deviation / deviation
    std::vector<Stat> grad_mean(rows), slope(rows), scale(rows);
    for (int64_t r = 0; r < rows; ++r) {
      grad_mean[r] = static_cast<Stat>(sums[r][0] / length);
      slope[r] = static_cast<Stat>(sums[r][1] / (length - 1));
      scale[r] = new_spread[r] / spread[r];
    }
    T* out = dx->as<T>();
    for_channels(x, [&, grad, out](int64_t n, int64_t c, int64_t offset) {
      const int64_t r = n * channels + c;
      const Stat g = static_cast<Stat>(grad[offset]);
      out[offset] =
          T((g - grad_mean[r] - normalized(LaneCount<1>{}, n, OneChannel{c}, offset) * slope[r]) *
            scale[r]);
    });
  });
}

}  // namespace gestalt::cpu
