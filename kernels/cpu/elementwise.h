#pragma once

// elementwise<Out, In...>(f, y, x...): y[i] = f(x[i]...) over views of one shape and any strides.
// elementwise_floating(kernel, f, y, x...): the same for views of one floating type, f in the type
// that it is accumulated in (f32, or f64 for f64). y may be one of the x.

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <utility>

#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/loop_nest.h"
#include "kernels/types.h"

namespace gestalt::cpu {

namespace detail {

// Elements gathered at once from an input that is not of unit stride.
inline constexpr int64_t gather_size = 256;

template <class T>
const T* gather(const T* x, int64_t step, int64_t size, T (&buffer)[gather_size]) {
  if (step == 1) return x;
  if (step == 0) {
    std::fill_n(buffer, size, *x);
  } else {
    for (int64_t i = 0; i < size; ++i) buffer[i] = x[i * step];
  }
  return buffer;
}

// The one loop that computes. ivdep: y is disjoint from each x or is that very x.
template <class Out, class... In, class F>
void unit_loop(const F& f, int64_t size, Out* y, const In*... x) {
  GESTALT_IVDEP
  for (int64_t i = 0; i < size; ++i) y[i] = f(x[i]...);
}

template <class Out, class... In, class F, size_t... I>
void row_loop(const F& f, int64_t size, Out* y, [[maybe_unused]] std::tuple<const In*...> x,
              const std::array<int64_t, 1 + sizeof...(In)>& step, std::index_sequence<I...>) {
  if (((step[0] == 1) && ... && (step[I + 1] == 1))) {
    unit_loop(f, size, y, std::get<I>(x)...);
    return;
  }
  Out result[gather_size];
  [[maybe_unused]] std::tuple<In[gather_size]...> buffers;
  for (int64_t begin = 0; begin < size; begin += gather_size) {
    const int64_t count = std::min(gather_size, size - begin);
    Out* out = step[0] == 1 ? y + begin : result;
    unit_loop(
        f, count, out,
        gather(std::get<I>(x) + begin * step[I + 1], step[I + 1], count, std::get<I>(buffers))...);
    if (step[0] != 1) {
      for (int64_t i = 0; i < count; ++i) y[(begin + i) * step[0]] = result[i];
    }
  }
}

}  // namespace detail

template <class Out, class... In, class F, class... Views>
void elementwise(const F& f, const View& y, const Views&... x) {
  static_assert(sizeof...(In) == sizeof...(Views));
  constexpr int views = 1 + sizeof...(In);
  constexpr auto inputs = std::index_sequence_for<In...>{};
  const LoopNest<views> nest = make_loop_nest<views>({&y, &x...});
  if (nest.numel == 0) return;

  const int inner = nest.rank - 1;
  const int64_t inner_size = nest.sizes[inner];

  // Elements are numbered in loop order; a range may begin and end inside a row.
  parallel_for(nest.numel, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      int64_t row = i / inner_size;
      const int64_t first = i % inner_size;
      const int64_t count = std::min(inner_size - first, end - i);
      std::array<int64_t, views> offset;
      for (int v = 0; v < views; ++v) offset[v] = first * nest.strides[inner][v];
      for (int dim = inner - 1; dim >= 0; --dim) {
        const int64_t index = row % nest.sizes[dim];
        row /= nest.sizes[dim];
        for (int v = 0; v < views; ++v) offset[v] += index * nest.strides[dim][v];
      }
      [&]<size_t... I>(std::index_sequence<I...>) {
        detail::row_loop<Out, In...>(
            f, count, y.as<Out>() + offset[0],
            std::tuple<const In*...>(x.template as<const In>() + offset[I + 1]...),
            nest.strides[inner], inputs);
      }
      (inputs);
      i += count;
    }
  });
}

template <class F, class... Views>
void elementwise_floating(const char* kernel, const F& f, const View& y, const Views&... x) {
  dispatch<FloatTypes>(kernel, y, [&]<class T>(std::type_identity<T>) {
    using Compute = accumulate_t<T>;
    const auto on_elements = [&f]<class... In>(In... value) {
      return T(static_cast<Compute>(f(static_cast<Compute>(value)...)));
    };
    [&]<class... In>(TypeList<In...>) {
      elementwise<T, In...>(on_elements, y, x...);
    }(TypeList<std::conditional_t<true, T, Views>...>{});
  });
}

}  // namespace gestalt::cpu
