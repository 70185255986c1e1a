// avg_pool2d and adaptive_avg_pool2d.

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"

namespace gestalt::cpu {
namespace {

double average_divisor(const Range& h, const Range& w, const Pool2dDesc& desc) {
  return desc.count_include_pad ? static_cast<double>(h.padded * w.padded)
                                : static_cast<double>((h.end - h.begin) * (w.end - w.begin));
}

// Adaptive pooling: output i of `out` sees [floor(i*in/out), ceil((i+1)*in/out)).
Range adaptive_window(int64_t i, int64_t out, int64_t in) {
  return {i * in / out, ((i + 1) * in + out - 1) / out, 0};
}

bool is_halving(const Pool2dDesc& desc) {
  return desc.kernel == Pair{2, 2} && desc.stride == Pair{2, 2} && desc.padding == Pair{0, 0};
}

// The inner loop of 2x2 windows without padding over unit strides, which vectorizes.
template <class T>
void halve_row(const T* top, const T* bottom, T* out, int64_t count) {
  using Sum = accumulate_t<T>;
  for (int64_t i = 0; i < count; ++i) {
    const Sum upper = static_cast<Sum>(top[2 * i]) + static_cast<Sum>(top[2 * i + 1]);
    const Sum lower = static_cast<Sum>(bottom[2 * i]) + static_cast<Sum>(bottom[2 * i + 1]);
    out[i] = static_cast<T>((upper + lower) * Sum(0.25));
  }
}

// Its gradient: one row of dy to two rows of dx, zeros in a last odd column.
template <class T>
void spread_row(const T* dy, T* top, T* bottom, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; ++i) {
    const T share = static_cast<T>(static_cast<accumulate_t<T>>(dy[i]) * accumulate_t<T>(0.25));
    top[2 * i] = top[2 * i + 1] = bottom[2 * i] = bottom[2 * i + 1] = share;
  }
  if (2 * count < width) top[width - 1] = bottom[width - 1] = T(0);
}

// Adds the gradient of one output, divided, to the sums of its window; rows have row_length pixels.
template <class T, class Sum>
void spread(const T* gradient, Sum divisor, const Range& rows, const Range& columns,
            int64_t row_length, const PlaneSums<Sum>& sums) {
  Sum share[scatter_lanes];
  for (int64_t j = 0; j < sums.width; ++j) share[j] = static_cast<Sum>(gradient[j]) / divisor;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      Sum* to = sums.values + (h * row_length + w) * sums.step;
      for (int64_t j = 0; j < sums.width; ++j) to[j] += share[j];
    }
  }
}

template <class T>
struct AveragePool {
  using Sum = accumulate_t<T>;
  static constexpr int64_t capacity = 64;
  Image<T> x, y;
  const Pool2dDesc& desc;

  void one(int64_t n, int64_t c, int64_t oh, int64_t ow) const {
    lanes<1>(n, c, oh, ow, &y(n, c, oh, ow), 1);
  }

  // `count` outputs that lie at `out`, the first with this window; lane j's inputs lie j * stride
  // behind the first's.
  template <int64_t stride>
  void lanes(int64_t n, int64_t c, int64_t oh, int64_t ow, T* out, int64_t count) const {
    const Range rows = pool_window(oh, 0, x.h, desc), columns = pool_window(ow, 1, x.w, desc);
    Sum sums[capacity] = {};
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const T* values = &x(n, c, h, w);
        for (int64_t j = 0; j < count; ++j) sums[j] += static_cast<Sum>(values[j * stride]);
      }
    }
    const Sum divisor = static_cast<Sum>(average_divisor(rows, columns, desc));
    for (int64_t j = 0; j < count; ++j) {
      out[j] = static_cast<T>(divisor > 0 ? sums[j] / divisor : Sum(0));
    }
  }

  template <int64_t stride>
  void row(int64_t n, int64_t c, int64_t oh, const Range& whole) const {
    for (int64_t ow = whole.begin; ow < whole.end; ow += capacity) {
      lanes<stride>(n, c, oh, ow, y.row(n, c, oh) + ow, std::min(capacity, whole.end - ow));
    }
  }

  template <class Row>
  void planes(const Range& whole, const Row& row) const {
    const int64_t cost = y.plane_size() * desc.kernel[0] * desc.kernel[1];
    for_each_plane(y.n, y.c, cost, [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        for (int64_t ow = 0; ow < whole.begin; ++ow) one(n, c, oh, ow);
        row(n, c, oh);
        for (int64_t ow = whole.end; ow < y.w; ++ow) one(n, c, oh, ow);
      }
    });
  }

  void pixels() const {
    for_each_pixel_row(y, desc.kernel[0] * desc.kernel[1], [&](int64_t n, int64_t oh) {
      for (int64_t ow = 0; ow < y.w; ++ow) {
        for (int64_t c = 0; c < y.c; c += capacity) {
          lanes<1>(n, c, oh, ow, &y(n, c, oh, ow), std::min(capacity, y.c - c));
        }
      }
    });
  }
};

}  // namespace

void avg_pool2d_forward(Context&, const View& x_view, const View& y_view, const Pool2dDesc& desc) {
  dispatch<FloatTypes>("avg_pool2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    const AveragePool<T> pool{Image<T>(x_view), Image<T>(y_view), desc};
    const Image<T>&x = pool.x, &y = pool.y;
    const bool by_rows = x.stride_w == 1 && y.stride_w == 1;
    const Range whole = whole_windows(y.w, x.w, desc);
    if (by_rows && is_halving(desc) && 2 * y.h <= x.h && 2 * y.w <= x.w) {
      pool.planes(whole, [&](int64_t n, int64_t c, int64_t oh) {
        halve_row(x.row(n, c, 2 * oh), x.row(n, c, 2 * oh + 1), y.row(n, c, oh), y.w);
      });
    } else if (x_view.is_channels_last() && y_view.is_channels_last()) {
      pool.pixels();
    } else if (by_rows && desc.stride[1] == 1) {
      pool.planes(whole,
                  [&](int64_t n, int64_t c, int64_t oh) { pool.template row<1>(n, c, oh, whole); });
    } else if (by_rows && desc.stride[1] == 2) {
      pool.planes(whole,
                  [&](int64_t n, int64_t c, int64_t oh) { pool.template row<2>(n, c, oh, whole); });
    } else {
      pool.planes({y.w, y.w, 0}, [](int64_t, int64_t, int64_t) {});
    }
  });
}

void avg_pool2d_backward(Context&, const View& dy_view, const View& dx_view,
                         const Pool2dDesc& desc) {
  dispatch<FloatTypes>("avg_pool2d_backward", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), dx(dx_view);
    if (is_halving(desc) && dy.h == dx.h / 2 && dy.w == dx.w / 2 && dy.stride_w == 1 &&
        dx.stride_w == 1) {
      for_each_plane(dx.n, dx.c, dx.plane_size(), [&](int64_t n, int64_t c) {
        for (int64_t h = 0; h < dy.h; ++h) {
          spread_row(dy.row(n, c, h), dx.row(n, c, 2 * h), dx.row(n, c, 2 * h + 1), dy.w, dx.w);
        }
        if (2 * dy.h < dx.h) std::fill_n(dx.row(n, c, dx.h - 1), dx.w, T(0));
      });
      return;
    }
    scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum>& sums) {
      for (int64_t oh = 0; oh < dy.h; ++oh) {
        const Range rows = pool_window(oh, 0, dx.h, desc);
        for (int64_t ow = 0; ow < dy.w; ++ow) {
          const Range columns = pool_window(ow, 1, dx.w, desc);
          const Sum divisor = static_cast<Sum>(average_divisor(rows, columns, desc));
          if (!(divisor > 0)) continue;
          spread(&dy(n, c, oh, ow), divisor, rows, columns, dx.w, sums);
        }
      }
    });
  });
}

void adaptive_avg_pool2d_forward(Context&, const View& x_view, const View& y_view) {
  dispatch<FloatTypes>("adaptive_avg_pool2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> x(x_view), y(y_view);
    for_each_plane(y.n, y.c, x.plane_size(), [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        const Range rows = adaptive_window(oh, y.h, x.h);
        for (int64_t ow = 0; ow < y.w; ++ow) {
          const Range columns = adaptive_window(ow, y.w, x.w);
          Sum sum = 0;
          for (int64_t h = rows.begin; h < rows.end; ++h) {
            Sum row = 0;
            for (int64_t w = columns.begin; w < columns.end; ++w) {
              row += static_cast<Sum>(x(n, c, h, w));
            }
            sum += row;
          }
          const int64_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
          y(n, c, oh, ow) = static_cast<T>(sum / static_cast<Sum>(count));
        }
      }
    });
  });
}

void adaptive_avg_pool2d_backward(Context&, const View& dy_view, const View& dx_view) {
  dispatch<FloatTypes>(
      "adaptive_avg_pool2d_backward", dy_view, [&]<class T>(std::type_identity<T>) {
        using Sum = accumulate_t<T>;
        const Image<T> dy(dy_view), dx(dx_view);
        scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum>& sums) {
          for (int64_t oh = 0; oh < dy.h; ++oh) {
            const Range rows = adaptive_window(oh, dy.h, dx.h);
            for (int64_t ow = 0; ow < dy.w; ++ow) {
              const Range columns = adaptive_window(ow, dy.w, dx.w);
              const auto count =
                  static_cast<Sum>((rows.end - rows.begin) * (columns.end - columns.begin));
              spread(&dy(n, c, oh, ow), count, rows, columns, dx.w, sums);
            }
          }
        });
      });
}

}  // namespace gestalt::cpu
