// Reflection padding and resizing, and their gradients: plain loops over the planes (n, c).

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

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
struct Run {
  int64_t out, in, count;
};

std::vector<Run> runs_of(const std::vector<Tap>& taps) {
  std::vector<Run> runs;
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
    // Channels that stand beside each other go together, and so do runs of such pixels.
    const int64_t size = x.stride_c == 1 && y.stride_c == 1 ? y.c : 1, planes = y.c / size;
    const std::vector<Run> runs = runs_of(columns);
    const bool dense = x.stride_w == size && y.stride_w == size;
    const bool by_runs = dense && (size > 1 || std::ssize(runs) * 4 <= y.w);
    parallel_for(y.n * planes * y.h, grain(y.w * size), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t n = line / (planes * y.h), c = line / y.h % planes, h = line % y.h;
        const T* from = x.row(n, c, rows[h].low);
        T* to = y.row(n, c, h);
        if (dense && line > begin && h > 0 && rows[h].low == rows[h - 1].low) {
          std::copy_n(y.row(n, c, h - 1), y.w * size, to);
        } else if (by_runs) {
          for (const Run& run : runs) {
            std::copy_n(from + run.in * size, run.count * size, to + run.out * size);
          }
        } else if (size == 1) {
          for (int64_t w = 0; w < y.w; ++w) to[w * y.stride_w] = from[columns[w].low * x.stride_w];
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
    parallel_for(y.planes(), grain(4 * y.plane_size()), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const int64_t n = p / y.c, c = p % y.c;
        for (int64_t h = 0; h < y.h; ++h) {
          const Tap& row = rows[h];
          const T *top = x.row(n, c, row.low), *bottom = x.row(n, c, row.high);
          const Sum below = static_cast<Sum>(row.weight);
          for (int64_t w = 0; w < y.w; ++w) {
            const Tap& column = columns[w];
            const Sum right = static_cast<Sum>(column.weight);
            const auto at = [&](const T* line) {
              return (1 - right) * static_cast<Sum>(line[column.low * x.stride_w]) +
                     right * static_cast<Sum>(line[column.high * x.stride_w]);
            };
            y(n, c, h, w) = static_cast<T>((1 - below) * at(top) + below * at(bottom));
          }
        }
      }
    });
  });
}

// The transpose of both: every dy goes back to its (up to four) sources.
void scatter(const char* kernel, const View& dy_view, const View& dx_view,
             const std::vector<Tap>& rows, const std::vector<Tap>& columns) {
  dispatch<FloatTypes>(kernel, dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), dx(dx_view);
    const int64_t cost = 2 * dx.plane_size() + 4 * dy.plane_size();
    parallel_for(dx.planes(), grain(cost), [&](int64_t begin, int64_t end) {
      std::vector<Sum> sums(dx.plane_size());
      for (int64_t p = begin; p < end; ++p) {
        const int64_t n = p / dx.c, c = p % dx.c;
        std::fill(sums.begin(), sums.end(), Sum(0));
        for (int64_t h = 0; h < dy.h; ++h) {
          const Sum below = static_cast<Sum>(rows[h].weight);
          Sum *top = &sums[rows[h].low * dx.w], *bottom = &sums[rows[h].high * dx.w];
          for (int64_t w = 0; w < dy.w; ++w) {
            const Tap& column = columns[w];
            const Sum value = static_cast<Sum>(dy(n, c, h, w));
            const Sum right = static_cast<Sum>(column.weight);
            top[column.low] += (1 - below) * (1 - right) * value;
            if (right != 0) top[column.high] += (1 - below) * right * value;
            if (below != 0) {
              bottom[column.low] += below * (1 - right) * value;
              if (right != 0) bottom[column.high] += below * right * value;
            }
          }
        }
        for (int64_t h = 0; h < dx.h; ++h) {
          for (int64_t w = 0; w < dx.w; ++w) {
            dx(n, c, h, w) = static_cast<T>(sums[h * dx.w + w]);
          }
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
