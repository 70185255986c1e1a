// max_pool2d. The place of the first of equal maxima in its window is kept, where somebody wants
// it; NaN is above all.

#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"

namespace gestalt::cpu {
namespace {

using IndexTypes = TypeList<uint8_t, int64_t>;
struct NoIndex {};

template <class T, class Index>
struct MaxPool {
  static constexpr bool with_indices = !std::is_same_v<Index, NoIndex>;
  using Sum = accumulate_t<T>;
  using Place = std::conditional_t<sizeof(Sum) == 4, int32_t, int64_t>;  // as wide as Sum
  Image<T> x, y;
  Image<Index> indices;
  const Pool2dDesc& desc;

  template <class Run, class Apart>
  void operator()(Run, Apart, int64_t n, int64_t c, int64_t oh, int64_t ow) const {
    constexpr int lanes = Run::lanes, vectors = Run::vectors;
    const Range rows = pool_window(oh, 0, x.h, desc), columns = pool_window(ow, 1, x.w, desc);
    Lanes<Sum, lanes> most[vectors];
    Lanes<Place, lanes> index[vectors];
    const auto for_vectors = [&](int64_t h, int64_t w, const auto& use) {
      const T* values = &x(n, c, h, w);
      const auto place = static_cast<Place>(place_in_window(h, oh, w, ow, desc));
      for (int v = 0; v < vectors; ++v) {
        use(v, load_lanes<lanes, Apart::in_memory>(values + v * lanes * Apart::in_memory),
            Lanes<Place, lanes>{} + place);
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
      Index* at = &indices(n, c, oh, ow);
      for (int v = 0; v < vectors; ++v) {
        if constexpr (lanes == 1) {
          at[v] = static_cast<Index>(index[v]);
        } else {
          const auto narrow = __builtin_convertvector(index[v], Lanes<Index, lanes>);
          std::memcpy(at + v * lanes, &narrow, sizeof(narrow));
        }
      }
    }
  }
};

template <class T, class Index>
void backward(const Image<T>& dx, const Image<T>& dy, const Image<Index>& indices,
              const Pool2dDesc& desc) {
  using Sum = accumulate_t<T>;
  scatter_planes(dx, dy, [&](int64_t n, int64_t c, const PlaneSums<Sum> sums) {
    std::vector<int64_t> offsets;  // from a window's first pixel to that of each of its places
    for (int64_t h = 0; h < desc.kernel[0]; ++h) {
      for (int64_t w = 0; w < desc.kernel[1]; ++w) offsets.push_back((h * dx.w + w) * sums.step);
    }
    for (int64_t oh = 0; oh < dy.h; ++oh) {
      const int64_t row = (oh * desc.stride[0] - desc.padding[0]) * dx.w - desc.padding[1];
      for (int64_t ow = 0; ow < dy.w; ++ow) {
        const Index* index = &indices(n, c, oh, ow);
        const T* gradient = &dy(n, c, oh, ow);
        const int64_t first = (row + ow * desc.stride[1]) * sums.step;
        for (int64_t j = 0; j < sums.width; ++j) {
          const int64_t offset = offsets[static_cast<size_t>(index[j])];
          sums.values[first + offset + j] += static_cast<Sum>(gradient[j]);
        }
      }
    }
  });
}

}  // namespace

void max_pool2d_forward(Context&, const View& x, const View& y, const View* indices,
                        const Pool2dDesc& desc) {
  constexpr const char* name = "max_pool2d_forward";
  dispatch<FloatTypes>(name, x, [&]<class T>(std::type_identity<T>) {
    const auto run = [&]<class Index>(const Image<Index>& places) {
      const MaxPool<T, Index> pool{Image<T>(x), Image<T>(y), places, desc};
      for_each_window(pool.x, pool.y, desc, pool);
    };
    if (indices == nullptr) return run(Image<NoIndex>());
    dispatch<IndexTypes>(name, *indices, [&]<class Index>(std::type_identity<Index>) {
      run(Image<Index>(*indices));
    });
  });
}

void max_pool2d_backward(Context&, const View& dy_view, const View& indices_view,
                         const View& dx_view, const Pool2dDesc& desc) {
  constexpr const char* name = "max_pool2d_backward";
  dispatch<FloatTypes>(name, dy_view, [&]<class T>(std::type_identity<T>) {
    dispatch<IndexTypes>(name, indices_view, [&]<class Index>(std::type_identity<Index>) {
      backward(Image<T>(dx_view), Image<T>(dy_view), Image<Index>(indices_view), desc);
    });
  });
}

}  // namespace gestalt::cpu
