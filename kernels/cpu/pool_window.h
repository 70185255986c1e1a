#pragma once

// What the pooling kernels share: windows, and the ways through an image.
//
// The inner loops run over lanes that lie side by side in memory and are treated alike:
// neighbouring outputs of a row where the image is contiguous (their inputs `stride` apart),
// channels of a pixel where it is channels-last. So they vectorize in both formats.

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/cpu/image.h"
#include "kernels/cpu/lanes.h"
#include "kernels/descriptors.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {

struct Range {
  int64_t begin, end;
  int64_t padded;  // elements with those in the padding (but not beyond it)
};

inline Range pool_window(int64_t out, int axis, int64_t size, const Pool2dDesc& desc) {
  const int64_t begin = out * desc.stride[axis] - desc.padding[axis];
  const int64_t end = std::min(begin + desc.kernel[axis], size + desc.padding[axis]);
  return {std::max<int64_t>(begin, 0), std::min(end, size), end - begin};
}

// The number of pixel (h, w) in the window of (oh, ow), padding counted: that of the window's first
// is 0 unless it is cut off.
inline int64_t place_in_window(int64_t h, int64_t oh, int64_t w, int64_t ow,
                               const Pool2dDesc& desc) {
  const int64_t row = h + desc.padding[0] - oh * desc.stride[0];
  return row * desc.kernel[1] + w + desc.padding[1] - ow * desc.stride[1];
}

// Outputs of a row whose windows lie within its `width` inputs: [begin, end) of `outputs`.
inline Range whole_windows(int64_t outputs, int64_t width, const Pool2dDesc& desc) {
  const int64_t stride = desc.stride[1], padding = desc.padding[1];
  const int64_t last = width + padding - desc.kernel[1];  // largest out * stride
  const int64_t end = last < 0 ? 0 : std::min(outputs, last / stride + 1);
  const int64_t begin = std::min(ceil_div(padding, stride), end);
  return {begin, end, 0};
}

// body(n, c) for every plane; `cost` is what one plane takes.
template <class Body>
void for_each_plane(int64_t n, int64_t c, int64_t cost, const Body& body) {
  parallel_for(n * c, grain(cost), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) body(p / c, p % c);
  });
}

// body(n, h) for every row of pixels of a channels-last image.
template <class T, class Body>
void for_each_pixel_row(const Image<T>& y, int64_t cost_of_an_element, const Body& body) {
  parallel_for(y.n * y.h, grain(y.w * y.c * cost_of_an_element), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row / y.h, row % y.h);
  });
}

// How far apart in memory the inputs of outputs are that lie side by side.
template <int64_t in_memory_>
struct Apart {
  static constexpr int64_t in_memory = in_memory_;
};

// pool(pool.window(oh, ow), run, apart, n, c, oh, ow) for all of y: a run (lanes.h) of outputs that
// lie side by side from (n, c, oh, ow) on, whose windows are as whole as the first's.
template <class T, class Pool>
void for_each_window(const Image<T>& x, const Image<T>& y, const Pool2dDesc& desc,
                     const Pool& pool) {
  const int64_t work = desc.kernel[0] * desc.kernel[1];
  const auto rows = [&](const Range& whole, auto apart) {
    const auto ones = [&](int64_t n, int64_t c, int64_t oh, int64_t begin, int64_t end) {
      for (int64_t ow = begin; ow < end; ++ow) {
        pool(pool.window(oh, ow), Run<1, 1>{}, Apart<1>{}, n, c, oh, ow);
      }
    };
    for_each_plane(y.n, y.c, y.plane_size() * work, [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        ones(n, c, oh, 0, whole.begin);
        for_runs<T>(whole.begin, whole.end, [&](int64_t ow, auto run) {
          pool(pool.window(oh, ow), run, apart, n, c, oh, ow);
        });
        ones(n, c, oh, whole.end, y.w);
      }
    });
  };
  const bool by_rows = x.stride_w == 1 && y.stride_w == 1;
  if (by_rows && desc.stride[1] == 1) {
    rows(whole_windows(y.w, x.w, desc), Apart<1>{});
  } else if (by_rows && desc.stride[1] == 2) {
    rows(whole_windows(y.w, x.w, desc), Apart<2>{});
  } else if (x.stride_c == 1 && y.stride_c == 1) {
    for_each_pixel_row(y, work, [&](int64_t n, int64_t oh) {
      for (int64_t ow = 0; ow < y.w; ++ow) {
        const auto window = pool.window(oh, ow);
        for_runs<T>(0, y.c,
                    [&](int64_t c, auto run) { pool(window, run, Apart<1>{}, n, c, oh, ow); });
      }
    });
  } else {
    rows({y.w, y.w, 0}, Apart<1>{});
  }
}

// At most so many channels are scattered together.
inline constexpr int64_t scatter_lanes = 256;

// Sums of the gradients to `width` channels of an image: pixel p's begin at values[p * step]. A
// step of 1 is of one channel's neighbouring pixels.
template <class Sum>
struct PlaneSums {
  Sum* values;
  int64_t step, width;

  void clear(int64_t pixels) const {
    if (step == width) {
      std::fill_n(values, pixels * width, Sum(0));
    } else {
      for (int64_t p = 0; p < pixels; ++p) std::fill_n(values + p * step, width, Sum(0));
    }
  }
};

// Gradients to x are summed in the accumulation type, then written at once; in place where that is
// x's own type and the pixels lie in one row. scatter(n, c, sums) adds those of channels c to c +
// sums.width, which is 1 unless the channels lie side by side in both dx and dy.
template <class T, class Scatter>
void scatter_planes(const Image<T>& dx, const Image<T>& dy, const Scatter& scatter) {
  using Sum = accumulate_t<T>;
  const bool in_place = std::is_same_v<T, Sum> && (dx.h == 1 || dx.stride_h == dx.w * dx.stride_w);
  // In memory of its own a cache line of sums a pixel; in place long runs.
  const int64_t together = in_place ? scatter_lanes : 16;
  const int64_t most = dx.stride_c == 1 && dy.stride_c == 1 ? together : 1;
  const int64_t blocks = ceil_div(dx.c, most), pixels = dx.plane_size();
  parallel_for(dx.n * blocks, grain(2 * pixels * most), [&](int64_t begin, int64_t end) {
    std::vector<Sum> memory(in_place ? 0 : pixels * most);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / blocks, c = task % blocks * most;
      const int64_t width = std::min(most, dx.c - c);
      T* first = dx.row(n, c, 0);
      PlaneSums<Sum> sums{memory.data(), width, width};
      if constexpr (std::is_same_v<T, Sum>) {
        // One pixel's stride may be 1, as its channels' is.
        if (in_place) sums = {first, pixels == 1 ? width : dx.stride_w, width};
      }
      sums.clear(pixels);
      scatter(n, c, sums);
      if (in_place) continue;
      const auto write = [](const Sum* from, int64_t count, T* to) {
        for_lanes<T>(count, [&]<int lanes>(LaneCount<lanes>, int64_t j) {
          store_lanes<lanes>(narrow_lanes<T, lanes>(load_lanes<lanes>(from + j)), to + j);
        });
      };
      for (int64_t h = 0; h < dx.h; ++h) {
        const Sum* from = sums.values + h * dx.w * width;
        T* to = first + h * dx.stride_h;
        if (dx.stride_w == width) {
          write(from, dx.w * width, to);
        } else {
          for (int64_t w = 0; w < dx.w; ++w) write(from + w * width, width, to + w * dx.stride_w);
        }
      }
    }
  });
}

}  // namespace gestalt::cpu
