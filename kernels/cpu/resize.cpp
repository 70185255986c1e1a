// Reflection padding and resizing, and their gradients. Channels that stand beside each other go
// together.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/pool_window.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {
namespace {

// An output's source along one axis: in[low] * (1 - weight) + in[high] * weight.
struct Tap {
  int64_t low = 0, high = 0;
  double weight = 0;
};

std::vector<Tap> reflection_taps(int64_t out, int64_t in, int64_t before) {
  std::vector<Tap> taps(out);
  for (int64_t i = 0; i < out; ++i) {
    int64_t source = std::abs(i - before);
    if (source >= in) source = 2 * (in - 1) - source;
    taps[i] = {source, source, 0};
  }
  return taps;
}

std::vector<Tap> nearest_taps(int64_t out, int64_t in) {
  std::vector<Tap> taps(out);
  // PyTorch computes the index in f32, and so it must be done here.
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int64_t i = 0; i < out; ++i) {
    const auto source = static_cast<int64_t>(std::floor(static_cast<float>(i) * scale));
    taps[i] = {std::min(source, in - 1), std::min(source, in - 1), 0};
  }
  return taps;
}

std::vector<Tap> bilinear_taps(int64_t out, int64_t in, const ResizeDesc& desc) {
  std::vector<Tap> taps(out);
  for (int64_t i = 0; i < out; ++i) {
    double source;
    if (desc.align_corners) {
      source = out > 1 ? static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1) : 0;
    } else {
      const double scale = static_cast<double>(in) / static_cast<double>(out);
      source = std::max((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0);
    }
    const int64_t low = std::min(static_cast<int64_t>(source), in - 1);
    taps[i] = {low, std::min(low + 1, in - 1), source - static_cast<double>(low)};
  }
  return taps;
}

// Pixels of a row that have their sources beside each other.
struct Stretch {
  int64_t out = 0, in = 0, count = 0;
};

std::vector<Stretch> runs_of(const std::vector<Tap>& taps) {
  std::vector<Stretch> runs;
  for (int64_t i = 0; i < std::ssize(taps); ++i) {
    if (!runs.empty() && taps[i].low == runs.back().in + runs.back().count) {
      ++runs.back().count;
    } else {
      runs.push_back({i, taps[i].low, 1});
    }
  }
  return runs;
}

// y[h, w] = x[rows[h].low, columns[w].low]
void gather(const char* kernel, const View& x_view, const View& y_view,
            const std::vector<Tap>& rows, const std::vector<Tap>& columns) {
  if (y_view.numel() == 0) return;
  dispatch<FloatTypes>(kernel, x_view, [&]<class T>(std::type_identity<T>) {
    const Image<T> x(x_view), y(y_view);
    // Runs of pixels whose channels stand beside each other go together, too.
    const int64_t size = x.stride_c == 1 && y.stride_c == 1 ? y.c : 1, planes = y.c / size;
    const std::vector<Stretch> runs = runs_of(columns);
    const bool dense = x.stride_w == size && y.stride_w == size;
    const bool by_runs = dense && size > 1;
    // What padding leaves as it is. Of single channels the rest goes one by one.
    const Stretch longest = *std::ranges::max_element(runs, {}, &Stretch::count);
    const Stretch inner = dense && longest.count * 2 > y.w ? longest : Stretch{};
    parallel_for(y.n * planes * y.h, grain(y.w * size), [&](int64_t begin, int64_t end) {
      int64_t plane = begin / y.h, h = begin % y.h;
      for (int64_t line = begin; line < end; ++line, ++h) {
        if (h == y.h) h = 0, ++plane;
        const int64_t n = plane / planes, c = plane % planes;
        const T* from = x.row(n, c, rows[h].low);
        T* to = y.row(n, c, h);
        if (dense && line > begin && h > 0 && rows[h].low == rows[h - 1].low) {
          std::copy_n(y.row(n, c, h - 1), y.w * size, to);
        } else if (by_runs) {
          for (const Stretch& run : runs) {
            std::copy_n(from + run.in * size, run.count * size, to + run.out * size);
          }
        } else if (size == 1) {
          const auto one_by_one = [&](int64_t begin, int64_t end) {
            for (int64_t w = begin; w < end; ++w) {
              to[w * y.stride_w] = from[columns[w].low * x.stride_w];
            }
          };
          one_by_one(0, inner.out);
          std::copy_n(from + inner.in, inner.count, to + inner.out);
          one_by_one(inner.out + inner.count, y.w);
        } else {
          for (int64_t w = 0; w < y.w; ++w) {
            std::copy_n(from + columns[w].low * x.stride_w, size, to + w * y.stride_w);
          }
        }
      }
    });
  });
}

void interpolate(const char* kernel, const View& x_view, const View& y_view,
                 const std::vector<Tap>& rows, const std::vector<Tap>& columns) {
  dispatch<FloatTypes>(kernel, x_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> x(x_view), y(y_view);
    // at(line, column): of a line of x; f32 or lanes of it.
    const auto between = [](const auto& at, const T* top, const T* bottom, const Tap& row,
                            const Tap& column) {
      const Sum below = static_cast<Sum>(row.weight), right = static_cast<Sum>(column.weight);
      const auto along = [&](const T* line) {
        return (1 - right) * at(line, column.low) + right * at(line, column.high);
      };
      return (1 - below) * along(top) + below * along(bottom);
    };
    if (x.stride_c == 1 && y.stride_c == 1) {
      for_each_pixel_row(y, 4, [&](int64_t n, int64_t h) {
        const Tap& row = rows[h];
        const T *top = x.row(n, 0, row.low), *bottom = x.row(n, 0, row.high);
        for (int64_t w = 0; w < y.w; ++w) {
          T* to = &y(n, 0, h, w);
          for_lanes<T>(y.c, [&]<int lanes>(LaneCount<lanes>, int64_t c) {
            const auto values = between(
                [&](const T* line, int64_t column) {
                  return load_lanes<lanes>(line + column * x.stride_w + c);
                },
                top, bottom, row, columns[w]);
            store_lanes<lanes>(narrow_lanes<T, lanes>(values), to + c);
          });
        }
      });
      return;
    }
    for_each_plane(y.n, y.c, 4 * y.plane_size(), [&](int64_t n, int64_t c) {
      for (int64_t h = 0; h < y.h; ++h) {
        const Tap& row = rows[h];
        const T *top = x.row(n, c, row.low), *bottom = x.row(n, c, row.high);
        for (int64_t w = 0; w < y.w; ++w) {
          y(n, c, h, w) = narrowed<T>(between(
              [&](const T* line, int64_t column) { return widened(line[column * x.stride_w]); },
              top, bottom, row, columns[w]));
        }
      }
    });
  });
}

bool has_weights(const std::vector<Tap>& taps) {
  return std::ranges::any_of(taps, [](const Tap& tap) { return tap.weight != 0; });
}

// A row of gradients of one channel to its source rows; bottom is null where all go to the top.
template <class T, class Sum>
void scatter_row(const T* from, int64_t stride, const std::vector<Tap>& columns, Sum below,
                 Sum* top, Sum* bottom) {
  for (int64_t w = 0; w < std::ssize(columns); ++w) {
    const Tap& column = columns[w];
    const Sum value = widened(from[w * stride]), right = static_cast<Sum>(column.weight);
    top[column.low] += (1 - below) * (1 - right) * value;
    if (right != 0) top[column.high] += (1 - below) * right * value;
    if (bottom == nullptr) continue;
    bottom[column.low] += below * (1 - right) * value;
    if (right != 0) bottom[column.high] += below * right * value;
  }
}

// The transpose of both: every dy goes back to its (up to four) sources.
void scatter(const char* kernel, const View& dy_view, const View& dx_view,
             const std::vector<Tap>& rows, const std::vector<Tap>& columns) {
  const std::vector<Stretch> runs = runs_of(columns);
  dispatch<FloatTypes>(kernel, dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), dx(dx_view);
    const bool by_runs = !has_weights(rows) && !has_weights(columns) && dy.stride_w == 1 &&
                         std::ssize(runs) * 4 <= dy.w;
    scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum>& sums) {
      for (int64_t h = 0; h < dy.h; ++h) {
        const Sum below = static_cast<Sum>(rows[h].weight);
        Sum* const top = sums.values + rows[h].low * dx.w * sums.step;
        Sum* const bottom = sums.values + rows[h].high * dx.w * sums.step;
        if (sums.step == 1) {
          const T* from = dy.row(n, c, h);
          if (by_runs) {
            for (const Stretch& run : runs) {
              for (int64_t i = 0; i < run.count; ++i) top[run.in + i] += widened(from[run.out + i]);
            }
          } else {
            scatter_row(from, dy.stride_w, columns, below, top, below != 0 ? bottom : nullptr);
          }
          continue;
        }
        for (int64_t w = 0; w < dy.w; ++w) {
          const T* from = &dy(n, c, h, w);
          const Sum right = static_cast<Sum>(columns[w].weight);
          const auto add = [&](Sum* row, int64_t column, Sum weight) {
            if (weight == 0) return;
            Sum* to = row + column * sums.step;
            for_lanes<T>(sums.width, [&]<int lanes>(LaneCount<lanes>, int64_t j) {
              store_lanes<lanes>(load_lanes<lanes>(to + j) + weight * load_lanes<lanes>(from + j),
                                 to + j);
            });
          };
          add(top, columns[w].low, (1 - below) * (1 - right));
          add(top, columns[w].high, (1 - below) * right);
          add(bottom, columns[w].low, below * (1 - right));
          add(bottom, columns[w].high, below * right);
        }
      }
    });
  });
}

}  // namespace

void reflection_pad2d_forward(Context&, const View& x, const View& y, const Padding2d& padding) {
  gather("reflection_pad2d_forward", x, y, reflection_taps(y.shape[2], x.shape[2], padding.top),
         reflection_taps(y.shape[3], x.shape[3], padding.left));
}

void reflection_pad2d_backward(Context&, const View& dy, const View& dx, const Padding2d& padding) {
  scatter("reflection_pad2d_backward", dy, dx,
          reflection_taps(dy.shape[2], dx.shape[2], padding.top),
          reflection_taps(dy.shape[3], dx.shape[3], padding.left));
}

void resize_nearest_forward(Context&, const View& x, const View& y) {
  gather("resize_nearest_forward", x, y, nearest_taps(y.shape[2], x.shape[2]),
         nearest_taps(y.shape[3], x.shape[3]));
}

void resize_nearest_backward(Context&, const View& dy, const View& dx) {
  scatter("resize_nearest_backward", dy, dx, nearest_taps(dy.shape[2], dx.shape[2]),
          nearest_taps(dy.shape[3], dx.shape[3]));
}

void resize_bilinear_forward(Context&, const View& x, const View& y, const ResizeDesc& desc) {
  interpolate("resize_bilinear_forward", x, y, bilinear_taps(y.shape[2], x.shape[2], desc),
              bilinear_taps(y.shape[3], x.shape[3], desc));
}

void resize_bilinear_backward(Context&, const View& dy, const View& dx, const ResizeDesc& desc) {
  scatter("resize_bilinear_backward", dy, dx, bilinear_taps(dy.shape[2], dx.shape[2], desc),
          bilinear_taps(dy.shape[3], dx.shape[3], desc));
}

}  // namespace gestalt::cpu
