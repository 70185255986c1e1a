#include "tests/ref/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gestalt::cases {
namespace {

// Calls body(n, c, h, w) for every index of a 4-d shape.
template <class Body>
void for_each_index(const Shape& shape, const Body& body) {
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t c = 0; c < shape[1]; ++c)
      for (int64_t h = 0; h < shape[2]; ++h)
        for (int64_t w = 0; w < shape[3]; ++w) body(n, c, h, w);
}

bool inside(const Array& x, int64_t h, int64_t w) {
  return h >= 0 && h < x.shape[2] && w >= 0 && w < x.shape[3];
}

int64_t pooled_size(int64_t size, int axis, const Pool2dDesc& desc) {
  const double room = static_cast<double>(size + 2 * desc.padding[axis] - desc.kernel[axis]);
  const double steps = room / static_cast<double>(desc.stride[axis]);
  int64_t out = static_cast<int64_t>(desc.ceil_mode ? std::ceil(steps) : std::floor(steps)) + 1;
  while (desc.ceil_mode && (out - 1) * desc.stride[axis] - desc.padding[axis] >= size) --out;
  return out;
}

}  // namespace

Array conv2d_reference(const Array& x, const Array& weight, const Array* bias,
                       const Conv2dDesc& desc) {
  const auto size = [&](int axis) {
    const int64_t reach = desc.dilation[axis] * (weight.shape[2 + axis] - 1) + 1;
    return (x.shape[2 + axis] + 2 * desc.padding[axis] - reach) / desc.stride[axis] + 1;
  };
  Array y(Shape{x.shape[0], weight.shape[0], size(0), size(1)});
  const int64_t outputs_per_group = weight.shape[0] / desc.groups;
  for_each_index(y.shape, [&](int64_t n, int64_t o, int64_t h, int64_t w) {
    double sum = bias != nullptr ? bias->values[o] : 0;
    for (int64_t c = 0; c < weight.shape[1]; ++c)
      for (int64_t i = 0; i < weight.shape[2]; ++i)
        for (int64_t j = 0; j < weight.shape[3]; ++j) {
          const int64_t ih = h * desc.stride[0] - desc.padding[0] + i * desc.dilation[0];
          const int64_t iw = w * desc.stride[1] - desc.padding[1] + j * desc.dilation[1];
          if (!inside(x, ih, iw)) continue;
          sum += weight(o, c, i, j) * x(n, o / outputs_per_group * weight.shape[1] + c, ih, iw);
        }
    y(n, o, h, w) = desc.activation == Activation::relu ? std::max(sum, 0.0) : sum;
  });
  return y;
}

Array matmul_reference(const Array& a, const Array& b) {
  const int rank = std::max(a.shape.rank(), b.shape.rank());
  const auto size = [&](const Array& x, int i) {  // i-th from the end
    return i <= x.shape.rank() ? x.shape[-i] : 1;
  };
  Shape shape = Shape::filled(rank, 1);
  for (int i = 3; i <= rank; ++i) shape[-i] = std::max(size(a, i), size(b, i));
  for (int i = 3; i <= rank; ++i) {
    if (size(a, i) == 0 || size(b, i) == 0) shape[-i] = 0;
  }
  shape[-2] = a.shape[-2];
  shape[-1] = b.shape[-1];
  Array y(shape);
  const int64_t m = shape[-2], n = shape[-1], k = a.shape[-1];
  for (int64_t flat = 0; flat < shape.numel(); ++flat) {
    const int64_t i = flat / n % m, j = flat % n;
    // The batch's offset in a and b, dimension by dimension from the inside.
    int64_t rest = flat / (m * n), in_a = 0, in_b = 0, step_a = 1, step_b = 1;
    for (int d = 3; d <= rank; ++d) {
      const int64_t index = rest % shape[-d];
      rest /= shape[-d];
      if (size(a, d) > 1) in_a += index * step_a;
      if (size(b, d) > 1) in_b += index * step_b;
      step_a *= size(a, d);
      step_b *= size(b, d);
    }
    double sum = 0;
    for (int64_t p = 0; p < k; ++p) {
      sum += a.values[in_a * m * k + i * k + p] * b.values[in_b * k * n + p * n + j];
    }
    y.values[flat] = sum;
  }
  return y;
}

Array max_pool2d_reference(const Array& x, const Pool2dDesc& desc) {
  Array y(Shape{x.shape[0], x.shape[1], pooled_size(x.shape[2], 0, desc),
                pooled_size(x.shape[3], 1, desc)});
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    double most = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < desc.kernel[0]; ++i)
      for (int64_t j = 0; j < desc.kernel[1]; ++j) {
        const int64_t ih = h * desc.stride[0] - desc.padding[0] + i;
        const int64_t iw = w * desc.stride[1] - desc.padding[1] + j;
        if (!inside(x, ih, iw)) continue;
        const double value = x(n, c, ih, iw);
        if (std::isnan(most)) continue;
        most = std::isnan(value) ? value : std::max(most, value);
      }
    y(n, c, h, w) = most;
  });
  return y;
}

Array avg_pool2d_reference(const Array& x, const Pool2dDesc& desc) {
  Array y(Shape{x.shape[0], x.shape[1], pooled_size(x.shape[2], 0, desc),
                pooled_size(x.shape[3], 1, desc)});
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < desc.kernel[0]; ++i)
      for (int64_t j = 0; j < desc.kernel[1]; ++j) {
        const int64_t ih = h * desc.stride[0] - desc.padding[0] + i;
        const int64_t iw = w * desc.stride[1] - desc.padding[1] + j;
        const bool in_padding =
            ih < x.shape[2] + desc.padding[0] && iw < x.shape[3] + desc.padding[1];
        if (inside(x, ih, iw)) sum += x(n, c, ih, iw);
        count += desc.count_include_pad ? in_padding : inside(x, ih, iw);
      }
    y(n, c, h, w) = count > 0 ? sum / static_cast<double>(count) : 0;
  });
  return y;
}

Array adaptive_avg_pool2d_reference(const Array& x, Pair size) {
  Array y(Shape{x.shape[0], x.shape[1], size[0], size[1]});
  const auto edge = [](int64_t i, int64_t in, int64_t out) {
    return static_cast<double>(i) * static_cast<double>(in) / static_cast<double>(out);
  };
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    double sum = 0, count = 0;
    for (auto ih = static_cast<int64_t>(std::floor(edge(h, x.shape[2], size[0])));
         static_cast<double>(ih) < std::ceil(edge(h + 1, x.shape[2], size[0])); ++ih)
      for (auto iw = static_cast<int64_t>(std::floor(edge(w, x.shape[3], size[1])));
           static_cast<double>(iw) < std::ceil(edge(w + 1, x.shape[3], size[1])); ++iw) {
        sum += x(n, c, ih, iw);
        ++count;
      }
    y(n, c, h, w) = sum / count;
  });
  return y;
}

Array reflection_pad2d_reference(const Array& x, const Padding2d& padding) {
  Array y(Shape{x.shape[0], x.shape[1], x.shape[2] + padding.top + padding.bottom,
                x.shape[3] + padding.left + padding.right});
  const auto reflect = [](int64_t i, int64_t size) {
    if (i < 0) return -i;
    return i < size ? i : 2 * size - 2 - i;
  };
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    y(n, c, h, w) =
        x(n, c, reflect(h - padding.top, x.shape[2]), reflect(w - padding.left, x.shape[3]));
  });
  return y;
}

Array resize_nearest_reference(const Array& x, Pair size) {
  Array y(Shape{x.shape[0], x.shape[1], size[0], size[1]});
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    y(n, c, h, w) = x(n, c, h * x.shape[2] / size[0], w * x.shape[3] / size[1]);
  });
  return y;
}

Array resize_bilinear_reference(const Array& x, Pair size, const ResizeDesc& desc) {
  Array y(Shape{x.shape[0], x.shape[1], size[0], size[1]});
  const auto source = [&](int64_t i, int axis) {
    const auto in = static_cast<double>(x.shape[2 + axis]);
    const auto out = static_cast<double>(size[axis]);
    if (desc.align_corners) return out > 1 ? static_cast<double>(i) * (in - 1) / (out - 1) : 0.0;
    return std::clamp((static_cast<double>(i) + 0.5) * in / out - 0.5, 0.0, in - 1);
  };
  for_each_index(y.shape, [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    const double at_h = source(h, 0), at_w = source(w, 1);
    double sum = 0;  // every pixel, weighted by the tent around the source point
    for (int64_t ih = 0; ih < x.shape[2]; ++ih)
      for (int64_t iw = 0; iw < x.shape[3]; ++iw) {
        const double near_h = std::max(0.0, 1 - std::abs(at_h - static_cast<double>(ih)));
        const double near_w = std::max(0.0, 1 - std::abs(at_w - static_cast<double>(iw)));
        sum += near_h * near_w * x(n, c, ih, iw);
      }
    y(n, c, h, w) = sum;
  });
  return y;
}

BatchStatistics batch_statistics(const Array& x) {
  const int64_t channels = x.shape[1], values = static_cast<int64_t>(x.values.size());
  const int64_t inner = values / std::max<int64_t>(x.shape[0] * channels, 1);
  BatchStatistics result{std::vector<double>(channels), std::vector<double>(channels),
                         static_cast<double>(x.shape[0] * inner)};
  for (int64_t i = 0; i < values; ++i) result.mean[i / inner % channels] += x.values[i];
  for (double& mean : result.mean) mean /= result.count;
  for (int64_t i = 0; i < values; ++i) {
    const double centred = x.values[i] - result.mean[i / inner % channels];
    result.variance[i / inner % channels] += centred * centred / result.count;
  }
  return result;
}

Array batch_norm_reference(const Array& x, const std::vector<double>& weight,
                           const std::vector<double>& bias, const std::vector<double>& mean,
                           const std::vector<double>& variance, double epsilon) {
  Array y(x.shape);
  const int64_t channels = x.shape[1], values = static_cast<int64_t>(x.values.size());
  const int64_t inner = values / std::max<int64_t>(x.shape[0] * channels, 1);
  for (int64_t i = 0; i < values; ++i) {
    const int64_t c = i / inner % channels;
    y.values[i] = (x.values[i] - mean[c]) / std::sqrt(variance[c] + epsilon) * weight[c] + bias[c];
  }
  return y;
}

}  // namespace gestalt::cases
