// max_pool2d. The index of the first of equal maxima is kept; NaN is above all.

#include <cmath>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"

namespace gestalt::cpu {
namespace {

// The maxima so far of up to `capacity` windows, and where they were found.
template <class T>
struct Maxima {
  using Sum = accumulate_t<T>;
  static constexpr int64_t capacity = 64;

  Sum most[capacity];
  int32_t index[capacity];

  // Lane j sees values[j * stride], which is element first + j * step of its plane.
  template <int64_t stride>
  void start(const T* values, int32_t first, int32_t step, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      most[j] = static_cast<Sum>(values[j * stride]);
      index[j] = first + static_cast<int32_t>(j) * step;
    }
  }
  template <int64_t stride>
  void take(const T* values, int32_t first, int32_t step, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      const Sum value = static_cast<Sum>(values[j * stride]);
      // value is larger, or the first NaN
      const bool better = !(value <= most[j]) & (most[j] == most[j]);
      most[j] = better ? value : most[j];
      index[j] = better ? first + static_cast<int32_t>(j) * step : index[j];
    }
  }
  void write(T* y, int64_t* indices, int64_t count) const {
    for (int64_t j = 0; j < count; ++j) {
      y[j] = static_cast<T>(most[j]);
      indices[j] = index[j];
    }
  }
};

template <class T>
struct MaxPool {
  Image<T> x, y;
  Image<int64_t> indices;
  const Pool2dDesc& desc;

  void one(int64_t n, int64_t c, int64_t oh, int64_t ow) const {
    const Range rows = pool_window(oh, 0, x.h, desc), columns = pool_window(ow, 1, x.w, desc);
    Maxima<T> maxima;
    maxima.template start<1>(&x(n, c, rows.begin, columns.begin),
                             static_cast<int32_t>(rows.begin * x.w + columns.begin), 0, 1);
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        maxima.template take<1>(&x(n, c, h, w), static_cast<int32_t>(h * x.w + w), 0, 1);
      }
    }
    maxima.write(&y(n, c, oh, ow), &indices(n, c, oh, ow), 1);
  }

  // Outputs ow.begin to ow.end of a row of a plane, whose windows lie within it.
  template <int64_t stride>
  void row(int64_t n, int64_t c, int64_t oh, const Range& ow) const {
    const Range rows = pool_window(oh, 0, x.h, desc);
    Maxima<T> maxima;
    for (int64_t first = ow.begin; first < ow.end; first += Maxima<T>::capacity) {
      const int64_t count = std::min(Maxima<T>::capacity, ow.end - first);
      const int64_t column = first * stride - desc.padding[1];
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t k = 0; k < desc.kernel[1]; ++k) {
          const T* values = x.row(n, c, h) + column + k;
          const auto index = static_cast<int32_t>(h * x.w + column + k);
          if (h == rows.begin && k == 0) {
            maxima.template start<stride>(values, index, stride, count);
          } else {
            maxima.template take<stride>(values, index, stride, count);
          }
        }
      }
      maxima.write(y.row(n, c, oh) + first, indices.row(n, c, oh) + first, count);
    }
  }

  template <int64_t stride>
  void planes() const {
    const Range whole = whole_windows(y.w, x.w, desc);
    const int64_t cost = y.plane_size() * desc.kernel[0] * desc.kernel[1];
    for_each_plane(y.n, y.c, cost, [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        for (int64_t ow = 0; ow < whole.begin; ++ow) one(n, c, oh, ow);
        row<stride>(n, c, oh, whole);
        for (int64_t ow = whole.end; ow < y.w; ++ow) one(n, c, oh, ow);
      }
    });
  }

  void pixels() const {
    for_each_pixel_row(y, desc.kernel[0] * desc.kernel[1], [&](int64_t n, int64_t oh) {
      const Range rows = pool_window(oh, 0, x.h, desc);
      Maxima<T> maxima;
      for (int64_t ow = 0; ow < y.w; ++ow) {
        const Range columns = pool_window(ow, 1, x.w, desc);
        for (int64_t c = 0; c < y.c; c += Maxima<T>::capacity) {
          const int64_t count = std::min(Maxima<T>::capacity, y.c - c);
          for (int64_t h = rows.begin; h < rows.end; ++h) {
            for (int64_t w = columns.begin; w < columns.end; ++w) {
              const auto index = static_cast<int32_t>(h * x.w + w);
              if (h == rows.begin && w == columns.begin) {
                maxima.template start<1>(&x(n, c, h, w), index, 0, count);
              } else {
                maxima.template take<1>(&x(n, c, h, w), index, 0, count);
              }
            }
          }
          maxima.write(&y(n, c, oh, ow), &indices(n, c, oh, ow), count);
        }
      }
    });
  }

  void any() const {
    const int64_t cost = y.plane_size() * desc.kernel[0] * desc.kernel[1];
    for_each_plane(y.n, y.c, cost, [&](int64_t n, int64_t c) {
      for (int64_t oh = 0; oh < y.h; ++oh) {
        for (int64_t ow = 0; ow < y.w; ++ow) one(n, c, oh, ow);
      }
    });
  }
};

}  // namespace

void max_pool2d_forward(Context&, const View& x, const View& y, const View& indices,
                        const Pool2dDesc& desc) {
  GESTALT_CHECK(x.shape[2] * x.shape[3] <= INT32_MAX, "[max_pool2d] a plane of {} is too large", x);
  dispatch<FloatTypes>("max_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    const MaxPool<T> pool{Image<T>(x), Image<T>(y), Image<int64_t>(indices), desc};
    if (x.is_contiguous() && y.is_contiguous() && desc.stride[1] == 1) {
      pool.template planes<1>();
    } else if (x.is_contiguous() && y.is_contiguous() && desc.stride[1] == 2) {
      pool.template planes<2>();
    } else if (x.is_channels_last() && y.is_channels_last()) {
      pool.pixels();
    } else {
      pool.any();
    }
  });
}

void max_pool2d_backward(Context&, const View& dy_view, const View& indices_view,
                         const View& dx_view, const Pool2dDesc&) {
  dispatch<FloatTypes>("max_pool2d_backward", dy_view, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Image<T> dy(dy_view), dx(dx_view);
    const Image<int64_t> indices(indices_view);
    scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum>& sums) {
      for (int64_t oh = 0; oh < dy.h; ++oh) {
        for (int64_t ow = 0; ow < dy.w; ++ow) {
          const int64_t* index = &indices(n, c, oh, ow);
          const T* gradient = &dy(n, c, oh, ow);
          for (int64_t j = 0; j < sums.width; ++j) {
            sums.values[index[j] * sums.step + j] += static_cast<Sum>(gradient[j]);
          }
        }
      }
    });
  });
}

}  // namespace gestalt::cpu
