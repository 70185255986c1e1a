// max_pool2d. The index of the first of equal maxima is kept, where somebody wants it; NaN is
// above all.

#include <cmath>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"

namespace gestalt::cpu {
namespace {

template <class T, bool with_indices>
struct MaxPool {
  using Sum = accumulate_t<T>;
  using Index = std::conditional_t<sizeof(Sum) == 4, int32_t, int64_t>;
  Image<T> x, y;
  Image<int64_t> indices;
  const Pool2dDesc& desc;

  template <class Run, class Apart>
  void operator()(Run, Apart, int64_t n, int64_t c, int64_t oh, int64_t ow) const {
    constexpr int lanes = Run::lanes, vectors = Run::vectors;
    const Range rows = pool_window(oh, 0, x.h, desc), columns = pool_window(ow, 1, x.w, desc);
    Lanes<Sum, lanes> most[vectors];
    Lanes<Index, lanes> index[vectors];  // in the plane
    const auto for_vectors = [&](int64_t h, int64_t w, const auto& use) {
      const T* values = &x(n, c, h, w);
      const auto place = static_cast<Index>(h * x.w + w);
      for (int v = 0; v < vectors; ++v) {
        const int64_t first = v * lanes;
        use(v, load_lanes<lanes, Apart::in_memory>(values + first * Apart::in_memory),
            ramp<Index, lanes>(Apart::in_columns) +
                (place + static_cast<Index>(first * Apart::in_columns)));
      }
    };
    for_vectors(rows.begin, columns.begin, [&](int v, const auto& values, const auto& places) {
      most[v] = values;
      if constexpr (with_indices) index[v] = places;
    });
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin + (h == rows.begin); w < columns.end; ++w) {
        for_vectors(h, w, [&](int v, const auto& values, const auto& places) {
          const auto larger_or_nan = !(values <= most[v]);
          const auto no_nan_yet = most[v] == most[v];
          const auto better = larger_or_nan & no_nan_yet;
          most[v] = better ? values : most[v];
          if constexpr (with_indices) index[v] = better ? places : index[v];
        });
      }
    }
    T* to = &y(n, c, oh, ow);
    for (int v = 0; v < vectors; ++v)
      store_lanes<lanes>(narrow_lanes<T, lanes>(most[v]), to + v * lanes);
    if constexpr (with_indices) {
      int64_t* at = &indices(n, c, oh, ow);
      for (int v = 0; v < vectors; ++v) {
        if constexpr (lanes == 1) {
          at[v] = index[v];
        } else {
          for (int j = 0; j < lanes; ++j) at[v * lanes + j] = index[v][j];
        }
      }
    }
  }
};

}  // namespace

void max_pool2d_forward(Context&, const View& x, const View& y, const View* indices,
                        const Pool2dDesc& desc) {
  GESTALT_CHECK(x.shape[2] * x.shape[3] <= INT32_MAX, "[max_pool2d] a plane of {} is too large", x);
  dispatch<FloatTypes>("max_pool2d_forward", x, [&]<class T>(std::type_identity<T>) {
    const auto run = [&](auto with_indices) {
      Image<int64_t> places;
      if constexpr (with_indices) places = Image<int64_t>(*indices);
      const MaxPool<T, with_indices> pool{Image<T>(x), Image<T>(y), places, desc};
      for_each_window(pool.x, pool.y, desc, pool);
    };
    if (indices != nullptr) {
      run(std::true_type{});
    } else {
      run(std::false_type{});
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
