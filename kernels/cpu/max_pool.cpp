// max_pool2d. The place of the first of equal maxima in its window is kept, where somebody wants
// it; NaN is above all.

#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/pool_window.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

using IndexTypes = TypeList<uint8_t, int64_t>;
struct NoIndex {};
// A place in a window, as wide as the sums of T, so that comparisons of both choose alike.
template <class T>
using Place = std::conditional_t<sizeof(accumulate_t<T>) == 4, int32_t, int64_t>;

template <class T, class Index>
struct MaxPool {
  static constexpr bool with_indices = !std::is_same_v<Index, NoIndex>;
  using Sum = accumulate_t<T>;
  Image<T> x, y;
  Image<Index> indices;
  const Pool2dDesc& desc;

  struct Window {
    Range rows, columns;
  };
  Window window(int64_t oh, int64_t ow) const {
    return {pool_window(oh, 0, x.h, desc), pool_window(ow, 1, x.w, desc)};
  }

  template <class Run, class Apart>
  void operator()(const Window& window, Run, Apart, int64_t n, int64_t c, int64_t oh,
                  int64_t ow) const {
    constexpr int lanes = Run::lanes, vectors = Run::vectors;
    const auto& [rows, columns] = window;
    Lanes<Sum, lanes> most[vectors];
    Lanes<Place<T>, lanes> index[vectors];
    const auto for_vectors = [&](int64_t h, int64_t w, const auto& use) {
      const T* values = &x(n, c, h, w);
      const auto place = static_cast<Place<T>>(place_in_window(h, oh, w, ow, desc));
      for (int v = 0; v < vectors; ++v) {
        use(v, load_lanes<lanes, Apart::in_memory>(values + v * lanes * Apart::in_memory),
            Lanes<Place<T>, lanes>{} + place);
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

template <class T, int lanes, class Index>
Lanes<Place<T>, lanes> load_places(const Index* from) {
  if constexpr (lanes == 1) {
    return static_cast<Place<T>>(*from);
  } else {
#if defined(__AVX2__)
    if constexpr (lanes == 8 && sizeof(Index) == 1) {  // GCC takes vectors of 8 bytes apart
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
      return std::bit_cast<Lanes<Place<T>, lanes>>(_mm256_cvtepu8_epi32(bytes));
    }
#endif
    Lanes<Index, lanes> places;
    std::memcpy(&places, from, sizeof(places));
    return __builtin_convertvector(places, Lanes<Place<T>, lanes>);
  }
}

// The windows along one axis that input `in` lies in: [begin, end) of `outputs`.
Range windows_over(int64_t in, int axis, int64_t outputs, const Pool2dDesc& desc) {
  const int64_t stride = desc.stride[axis], last = in + desc.padding[axis];
  const int64_t before = last - desc.kernel[axis];  // the windows up to here end before `in`
  return {before < 0 ? 0 : before / stride + 1, std::min(last / stride + 1, outputs), 0};
}

// A pixel of a channels-last image lies in at most so many windows for its gradient to be gathered.
inline constexpr int64_t most_gathered = 4;

// Each pixel's gradient is summed over the windows that it lies in, channels side by side, and
// written once: no sums in memory, no choice of an address.
template <class T, class Index>
void gather(const Image<T>& dx, const Image<T>& dy, const Image<Index>& indices,
            const Pool2dDesc& desc) {
  struct Window {
    const T* gradient;
    const Index* index;
    int64_t place;  // of the pixel in it
  };
  for_each_pixel_row(dx, most_gathered, [&](int64_t n, int64_t h) {
    const Range rows = windows_over(h, 0, dy.h, desc);
    for (int64_t w = 0; w < dx.w; ++w) {
      const Range columns = windows_over(w, 1, dy.w, desc);
      Window windows[most_gathered];
      int count = 0;
      for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
        for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
          windows[count++] = {&dy(n, 0, oh, ow), &indices(n, 0, oh, ow),
                              place_in_window(h, oh, w, ow, desc)};
        }
      }
      T* to = &dx(n, 0, h, w);
      for_runs<T>(0, dx.c, [&]<int lanes, int vectors>(int64_t c, Run<lanes, vectors>) {
        using Sums = Lanes<accumulate_t<T>, lanes>;
        Sums sums[vectors] = {};
        for (int i = 0; i < count; ++i) {
          const Window& window = windows[i];
          for (int v = 0; v < vectors; ++v) {
            const auto places = load_places<T, lanes>(window.index + c + v * lanes);
            const auto here = places == static_cast<Place<T>>(window.place);
            const Sums gradient = load_lanes<lanes>(window.gradient + c + v * lanes);
            sums[v] += here ? gradient : Sums{};
          }
        }
        for (int v = 0; v < vectors; ++v)
          store_lanes<lanes>(narrow_lanes<T, lanes>(sums[v]), to + c + v * lanes);
      });
    }
  });
}

template <class T, class Index>
void scatter(const Image<T>& dx, const Image<T>& dy, const Image<Index>& indices,
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
      const Image<T> dx(dx_view), dy(dy_view);
      const Image<Index> indices(indices_view);
      const bool by_channels = dx.stride_c == 1 && dy.stride_c == 1 && indices.stride_c == 1;
      const auto overlap = [&](int axis) { return ceil_div(desc.kernel[axis], desc.stride[axis]); };
      const bool few = overlap(0) * overlap(1) <= most_gathered;
      (by_channels && few ? gather<T, Index> : scatter<T, Index>)(dx, dy, indices, desc);
    });
  });
}

}  // namespace gestalt::cpu
