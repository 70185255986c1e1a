// avg_pool2d and adaptive_avg_pool2d.

#include <bit>
#include <utility>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

double average_divisor(const Range& h, const Range& w, const Pool2dDesc& desc) {
  return desc.count_include_pad ? static_cast<double>(h.padded * w.padded)
                                : static_cast<double>((h.end - h.begin) * (w.end - w.begin));
}

// Adaptive pooling: output i of `out` sees [floor(i*in/out), ceil((i+1)*in/out)).
std::vector<Range> adaptive_windows(int64_t out, int64_t in) {
  std::vector<Range> windows;
  for (int64_t i = 0; i < out; ++i)
    windows.push_back({i * in / out, ceil_div((i + 1) * in, out), 0});
  return windows;
}

template <class Sum>
Sum size_of_window(const Range& rows, const Range& columns) {
  return static_cast<Sum>((rows.end - rows.begin) * (columns.end - columns.begin));
}

// The sum over a window of a plane whose rows are contiguous.
template <class T, class Sum = accumulate_t<T>>
Sum sum_window(const Image<T>& x, int64_t n, int64_t c, const Range& rows, const Range& columns) {
  constexpr int lanes = full_lanes<T>;
  int64_t lines = rows.end - rows.begin, length = columns.end - columns.begin;
  if (length == x.stride_h) length *= std::exchange(lines, 1);  // one run
  Lanes<Sum, lanes> sums{};
  Sum rest = 0;
  for (int64_t line = 0; line < lines; ++line) {
    const T* from = x.row(n, c, rows.begin + line) + columns.begin;
    int64_t i = 0;
    for (; i + lanes <= length; i += lanes) sums += load_lanes<lanes>(from + i);
    for (; i < length; ++i) rest += widened(from[i]);
  }
  for (int j = 0; j < lanes; ++j) rest += sums[j];
  return rest;
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
  if (sums.step == 1) {
    const Sum share = widened(*gradient) / divisor;
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w)
        sums.values[h * row_length + w] += share;
    }
    return;
  }
  Sum share[scatter_lanes];
  for (int64_t j = 0; j < sums.width; ++j) share[j] = static_cast<Sum>(gradient[j]) / divisor;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      Sum* to = sums.values + (h * row_length + w) * sums.step;
      for (int64_t j = 0; j < sums.width; ++j) to[j] += share[j];
    }
  }
}

// The gradient where rows are contiguous and windows 1 or 2 columns apart. A row of dx is summed as
// `stride` rows of every stride-th column, to which an output row adds as it lies; columns of a
// window go backward, so that an element sums its outputs in their order.
template <class T>
class RowGradient {
 public:
  using Sum = accumulate_t<T>;

  RowGradient(const Image<T>& dy, const Image<T>& dx, const Pool2dDesc& desc)
      : dy_(dy), dx_(dx), desc_(desc) {
    for (int64_t oh = 0; oh < dy.h; ++oh) {
      for (int64_t ow = 0; ow < dy.w; ++ow) {
        const double divisor =
            average_divisor(pool_window(oh, 0, dx.h, desc), pool_window(ow, 1, dx.w, desc), desc);
        divisors_.push_back(static_cast<Sum>(std::max(divisor, 1.0)));
      }
    }
  }

  void run() const {
    parallel_for(dx_.planes(), grain(2 * dx_.plane_size()), [&](int64_t begin, int64_t end) {
      std::vector<Sum> shares(divisors_.size()), sums(2 * dx_.w);
      for (int64_t p = begin; p < end; ++p) plane(p / dx_.c, p % dx_.c, shares, sums);
    });
  }

 private:
  void plane(int64_t n, int64_t c, std::vector<Sum>& shares, std::vector<Sum>& sums) const {
    for (int64_t oh = 0; oh < dy_.h; ++oh) {
      const T* gradient = dy_.row(n, c, oh);
      const Sum* divisors = divisors_.data() + oh * dy_.w;
      Sum* share = shares.data() + oh * dy_.w;
      for (int64_t ow = 0; ow < dy_.w; ++ow) share[ow] = widened(gradient[ow]) / divisors[ow];
    }
    const int64_t stride = desc_.stride[0];
    for (int64_t h = 0; h < dx_.h; ++h) {
      const int64_t place = h + desc_.padding[0];
      const int64_t before = place - desc_.kernel[0] + 1;  // the first row whose window reaches h
      const int64_t first = std::max<int64_t>(0, ceil_div(before, stride));
      const int64_t last = std::min(place / stride, dy_.h - 1);
      std::fill(sums.begin(), sums.end(), Sum(0));
      for (int64_t oh = first; oh <= last; ++oh) add_row(shares.data() + oh * dy_.w, sums.data());
      write(sums.data(), dx_.row(n, c, h));
    }
  }

  void add_row(const Sum* share, Sum* sums) const {
    const int64_t stride = desc_.stride[1], padding = desc_.padding[1];
    for (int64_t k = desc_.kernel[1] - 1; k >= 0; --k) {
      const int64_t phase = (k + padding) % stride;  // stride <= 2: as k - padding
      const int64_t ahead = (phase + padding - k) / stride;
      const int64_t columns = ceil_div(dx_.w - phase, stride);
      Sum* to = sums + phase * dx_.w;
      const int64_t begin = std::max<int64_t>(0, -ahead), end = std::min(columns, dy_.w - ahead);
      for (int64_t j = begin; j < end; ++j) to[j] += share[j + ahead];
    }
  }

  void write(const Sum* sums, T* row) const {
    if (desc_.stride[1] == 1) {
      for (int64_t w = 0; w < dx_.w; ++w) row[w] = narrowed<T>(sums[w]);
      return;
    }
    const Sum *even = sums, *odd = sums + dx_.w;
    for (int64_t j = 0; j < dx_.w / 2; ++j) {
      row[2 * j] = narrowed<T>(even[j]);
      row[2 * j + 1] = narrowed<T>(odd[j]);
    }
    if (dx_.w % 2 != 0) row[dx_.w - 1] = narrowed<T>(even[dx_.w / 2]);
  }

  const Image<T>&dy_, &dx_;
  const Pool2dDesc& desc_;
  std::vector<Sum> divisors_;  // [OH, OW]
};

template <class T>
struct AveragePool {
  using Sum = accumulate_t<T>;
  Image<T> x, y;
  const Pool2dDesc& desc;

  struct Window {
    Range rows, columns;
    Sum divisor;
    bool power_of_two;  // then a product gives the same bits
  };
  Window window(int64_t oh, int64_t ow) const {
    const Range rows = pool_window(oh, 0, x.h, desc), columns = pool_window(ow, 1, x.w, desc);
    // A window with no element has divisor 0.
    const double divisor = std::max(average_divisor(rows, columns, desc), 1.0);
    return {rows, columns, static_cast<Sum>(divisor),
            std::has_single_bit(static_cast<uint64_t>(divisor))};
  }

  template <class Run, class Apart>
  void operator()(const Window& window, Run, Apart, int64_t n, int64_t c, int64_t oh,
                  int64_t ow) const {
    constexpr int lanes = Run::lanes, vectors = Run::vectors;
    const auto& [rows, columns, divisor, power_of_two] = window;
    Lanes<Sum, lanes> sums[vectors];
    for (int v = 0; v < vectors; ++v) sums[v] = Lanes<Sum, lanes>{};
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const T* values = &x(n, c, h, w);
        for (int v = 0; v < vectors; ++v) {
          sums[v] += load_lanes<lanes, Apart::in_memory>(values + v * lanes * Apart::in_memory);
        }
      }
    }
    T* to = &y(n, c, oh, ow);
    for (int v = 0; v < vectors; ++v) {
      const Lanes<Sum, lanes> average = power_of_two ? sums[v] * (1 / divisor) : sums[v] / divisor;
      store_lanes<lanes>(narrow_lanes<T, lanes>(average), to + v * lanes);
    }
  }
};

}  // namespace

void avg_pool2d_forward(Context&, const View& x_view, const View& y_view, const Pool2dDesc& desc) {
  dispatch<FloatTypes>("avg_pool2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    const AveragePool<T> pool{Image<T>(x_view), Image<T>(y_view), desc};
    const Image<T>&x = pool.x, &y = pool.y;
    if (is_halving(desc) && 2 * y.h <= x.h && 2 * y.w <= x.w && x.stride_w == 1 &&
        y.stride_w == 1) {
      for_each_plane(y.n, y.c, x.plane_size(), [&](int64_t n, int64_t c) {
        for (int64_t h = 0; h < y.h; ++h) {
          halve_row(x.row(n, c, 2 * h), x.row(n, c, 2 * h + 1), y.row(n, c, h), y.w);
        }
      });
    } else {
      for_each_window(x, y, desc, pool);
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
    if (dy.stride_w == 1 && dx.stride_w == 1 && desc.stride[1] <= 2) {
      return RowGradient<T>(dy, dx, desc).run();
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
    const std::vector<Range> rows = adaptive_windows(y.h, x.h),
                             columns = adaptive_windows(y.w, x.w);
    if (x.stride_w == 1) {
      for_each_plane(y.n, y.c, x.plane_size(), [&](int64_t n, int64_t c) {
        for (int64_t oh = 0; oh < y.h; ++oh) {
          for (int64_t ow = 0; ow < y.w; ++ow) {
            const Sum sum = sum_window(x, n, c, rows[oh], columns[ow]);
            y(n, c, oh, ow) = narrowed<T>(sum / size_of_window<Sum>(rows[oh], columns[ow]));
          }
        }
      });
      return;
    }
    const auto pool = [&](auto run, int64_t n, int64_t c, int64_t oh, int64_t ow) {
      constexpr int lanes = run.lanes, vectors = run.vectors;
      Lanes<Sum, lanes> sums[vectors];
      for (int v = 0; v < vectors; ++v) sums[v] = Lanes<Sum, lanes>{};
      for (int64_t h = rows[oh].begin; h < rows[oh].end; ++h) {
        for (int64_t w = columns[ow].begin; w < columns[ow].end; ++w) {
          const T* from = &x(n, c, h, w);
          for (int v = 0; v < vectors; ++v) sums[v] += load_lanes<lanes>(from + v * lanes);
        }
      }
      const Sum size = size_of_window<Sum>(rows[oh], columns[ow]);
      T* to = &y(n, c, oh, ow);
      for (int v = 0; v < vectors; ++v) {
        store_lanes<lanes>(narrow_lanes<T, lanes>(sums[v] / size), to + v * lanes);
      }
    };
    const bool by_channels = x.stride_c == 1 && y.stride_c == 1;
    const int64_t cost = x.plane_size() / std::max<int64_t>(y.plane_size(), 1) + 1;
    for_each_pixel_row(y, cost, [&](int64_t n, int64_t oh) {
      for (int64_t ow = 0; ow < y.w; ++ow) {
        if (by_channels) {
          for_runs<T>(0, y.c, [&](int64_t c, auto run) { pool(run, n, c, oh, ow); });
        } else {
          for (int64_t c = 0; c < y.c; ++c) pool(Run<1, 1>{}, n, c, oh, ow);
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
        const std::vector<Range> rows = adaptive_windows(dy.h, dx.h);
        const std::vector<Range> columns = adaptive_windows(dy.w, dx.w);
        scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum>& sums) {
          for (int64_t oh = 0; oh < dy.h; ++oh) {
            for (int64_t ow = 0; ow < dy.w; ++ow) {
              spread(&dy(n, c, oh, ow), size_of_window<Sum>(rows[oh], columns[ow]), rows[oh],
                     columns[ow], dx.w, sums);
            }
          }
        });
      });
}

}  // namespace gestalt::cpu
