// Pooling as loops over the planes (n, c); a plane is written by one thread.

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

// body(n, c) for every plane; `cost` is what one plane takes.
template <class Body>
void for_each_plane(int64_t n, int64_t c, int64_t cost, const Body& body) {
  parallel_for(n * c, grain(cost), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) body(p / c, p % c);
  });
}

// Gradients to a plane of x are summed in the accumulation type, then written at once.
template <class T, class Scatter>
void scatter_planes(const Image<T>& dx, const Scatter& scatter) {
  using Sum = accumulate_t<T>;
  parallel_for(dx.planes(), grain(2 * dx.plane_size()), [&](int64_t begin, int64_t end) {
    std::vector<Sum> sums(dx.plane_size());
    for (int64_t p = begin; p < end; ++p) {
      const int64_t n = p / dx.c, c = p % dx.c;
      std::fill(sums.begin(), sums.end(), Sum(0));
      scatter(n, c, sums.data());
      for (int64_t h = 0; h < dx.h; ++h) {
        for (int64_t w = 0; w < dx.w; ++w) {
          dx(n, c, h, w) = static_cast<T>(sums[h * dx.w + w]);
        }
      }
    }
  });
}

struct Range {
  int64_t begin, end;
  int64_t padded;  // elements with those in the padding (but not beyond it)
};

Range window(int64_t out, int axis, int64_t size, const Pool2dDesc& desc) {
  const int64_t begin = out * desc.stride[axis] - desc.padding[axis];
  const int64_t end = std::min(begin + desc.kernel[axis], size + desc.padding[axis]);
  return {std::max<int64_t>(begin, 0), std::min(end, size), end - begin};
}

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

}  // namespace

void max_pool2d_forward(Context&, const View& x_view, const View& y_view, const View& indices_view,
                        const Pool2dDesc& desc) {
  dispatch<FloatTypes>("max_pool2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> x(x_view), y(y_view);
    const Image<int64_t> indices(indices_view);
    for_each_plane(y.n, y.c, y.plane_size() * desc.kernel[0] * desc.kernel[1],
                   [&](int64_t n, int64_t c) {
                     for (int64_t oh = 0; oh < y.h; ++oh) {
                       const Range rows = window(oh, 0, x.h, desc);
                       for (int64_t ow = 0; ow < y.w; ++ow) {
                         const Range columns = window(ow, 1, x.w, desc);
                         int64_t best = rows.begin * x.w + columns.begin;
                         Sum most = -std::numeric_limits<Sum>::infinity();
                         for (int64_t h = rows.begin; h < rows.end; ++h) {
                           for (int64_t w = columns.begin; w < columns.end; ++w) {
                             const Sum value = static_cast<Sum>(x(n, c, h, w));
                             if (value > most || (std::isnan(value) && !std::isnan(most))) {
                               most = value;
                               best = h * x.w + w;
                             }
                           }
                         }
                         y(n, c, oh, ow) = static_cast<T>(most);
                         indices(n, c, oh, ow) = best;
                       }
                     }
                   });
  });
}

void max_pool2d_backward(Context&, const View& dy_view, const View& indices_view,
                         const View& dx_view, const Pool2dDesc&) {
  dispatch<FloatTypes>("max_pool2d_backward", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), dx(dx_view);
    const Image<int64_t> indices(indices_view);
    scatter_planes(dx, [&](int64_t n, int64_t c, Sum* sums) {
      for (int64_t oh = 0; oh < dy.h; ++oh) {
        for (int64_t ow = 0; ow < dy.w; ++ow) {
          sums[indices(n, c, oh, ow)] += static_cast<Sum>(dy(n, c, oh, ow));
        }
      }
    });
  });
}

void avg_pool2d_forward(Context&, const View& x_view, const View& y_view, const Pool2dDesc& desc) {
  dispatch<FloatTypes>("avg_pool2d_forward", x_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> x(x_view), y(y_view);
    const bool halving =
        is_halving(desc) && x.stride_w == 1 && y.stride_w == 1 && 2 * y.h <= x.h && 2 * y.w <= x.w;
    const int64_t cost = y.plane_size() * desc.kernel[0] * desc.kernel[1];
    for_each_plane(y.n, y.c, cost, [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        if (halving) {
          halve_row(x.row(n, c, 2 * oh), x.row(n, c, 2 * oh + 1), y.row(n, c, oh), y.w);
          continue;
        }
        const Range rows = window(oh, 0, x.h, desc);
        for (int64_t ow = 0; ow < y.w; ++ow) {
          const Range columns = window(ow, 1, x.w, desc);
          Sum sum = 0;
          for (int64_t h = rows.begin; h < rows.end; ++h) {
            for (int64_t w = columns.begin; w < columns.end; ++w) {
              sum += static_cast<Sum>(x(n, c, h, w));
            }
          }
          const double divisor = average_divisor(rows, columns, desc);
          y(n, c, oh, ow) = static_cast<T>(divisor > 0 ? sum / static_cast<Sum>(divisor) : Sum(0));
        }
      }
    });
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
    scatter_planes(dx, [&](int64_t n, int64_t c, Sum* sums) {
      for (int64_t oh = 0; oh < dy.h; ++oh) {
        const Range rows = window(oh, 0, dx.h, desc);
        for (int64_t ow = 0; ow < dy.w; ++ow) {
          const Range columns = window(ow, 1, dx.w, desc);
          const double divisor = average_divisor(rows, columns, desc);
          if (!(divisor > 0)) continue;
          const Sum share = static_cast<Sum>(dy(n, c, oh, ow)) / static_cast<Sum>(divisor);
          for (int64_t h = rows.begin; h < rows.end; ++h) {
            for (int64_t w = columns.begin; w < columns.end; ++w) sums[h * dx.w + w] += share;
          }
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
        scatter_planes(dx, [&](int64_t n, int64_t c, Sum* sums) {
          for (int64_t oh = 0; oh < dy.h; ++oh) {
            const Range rows = adaptive_window(oh, dy.h, dx.h);
            for (int64_t ow = 0; ow < dy.w; ++ow) {
              const Range columns = adaptive_window(ow, dy.w, dx.w);
              const int64_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
              const Sum share = static_cast<Sum>(dy(n, c, oh, ow)) / static_cast<Sum>(count);
              for (int64_t h = rows.begin; h < rows.end; ++h) {
                for (int64_t w = columns.begin; w < columns.end; ++w) {
                  sums[h * dx.w + w] += share;
                }
              }
            }
          }
        });
      });
}

}  // namespace gestalt::cpu
