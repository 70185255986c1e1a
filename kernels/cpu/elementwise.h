#pragma once

// elementwise<Out, In...>(f, y, x...): y[i] = f(x[i]...) over views of one shape and any strides.
// elementwise_floating(kernel, f, y, x...): the same for views of one floating type, f in the type
// that it is accumulated in (f32, or f64 for f64).
// elementwise_lanes(kernel, f, y, x...): the same with f of lanes side by side (lanes.h), a vector
// or one alone, for what the compiler leaves scalar.
// elementwise_run(kernel, run, f, y, x): the same with a run of f32 (elementary_runs.h), for f64 f.
// y may be one of the x.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "kernels/cpu/elementary_runs.h"
#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/lanes.h"
#include "kernels/dispatch.h"
#include "kernels/loop_nest.h"
#include "kernels/parallel.h"
#include "kernels/types.h"

namespace gestalt::cpu {

namespace detail {

// Elements gathered at once from an input that is not of unit stride.
inline constexpr int64_t gather_size = 256;

// Left as it is: a tuple of arrays would be zeroed for each row.
template <class T>
struct Buffer {
  alignas(64) std::byte bytes[gather_size * sizeof(T)];
  Buffer() {}
  T* data() { return reinterpret_cast<T*>(bytes); }
};

// Elements begin to begin + size of a row. One that is repeated fills the buffer at the row's
// beginning, since no later piece is longer than the first.
template <class T>
const T* gather(const T* x, int64_t begin, int64_t step, int64_t size, Buffer<T>& buffer) {
  x += begin * step;
  if (step == 1) return x;
  T* const to = buffer.data();
  if (step == 0) {
    if (begin == 0) {  // in whole vectors
      constexpr int lanes = 32 / sizeof(T);
      const auto repeated = repeated_lanes<lanes>(std::bit_cast<Stored<T>>(*x));
      for (int64_t i = 0; i < size; i += lanes) store_lanes<lanes>(repeated, to + i);
    }
  } else {
    for (int64_t i = 0; i < size; ++i) to[i] = x[i * step];
  }
  return to;
}

// The one loop that computes. ivdep: y is disjoint from each x or is that very x.
template <class Out, class... In, class F>
void unit_loop(const F& f, int64_t size, Out* y, const In*... x) {
  GESTALT_IVDEP
  for (int64_t i = 0; i < size; ++i) y[i] = f(x[i]...);
}

// A function of lanes.
template <class F>
struct OnLanes {
  F f;
};

template <class Out, class... In, class F>
void unit_loop(const OnLanes<F>& on, int64_t size, Out* y, const In*... x) {
  // Copies of the pointers: what is stored might change those of another scope.
  for_lanes<Out>(size, [&on, y, x...]<int count>(LaneCount<count>, int64_t i) {
    store_lanes<count>(narrow_lanes<Out, count>(on.f(load_lanes<count>(x + i)...)), y + i);
  });
}

// f(size, y, x...) of whole runs.
template <class F>
struct OnRuns {
  F f;
};

template <class Out, class... In, class F>
void unit_loop(const OnRuns<F>& on, int64_t size, Out* y, const In*... x) {
  on.f(size, y, x...);
}

// A function in the types that the elements are accumulated in, where one of these has 16 bits:
// the compiler leaves conversions of f16 scalar.
template <class F>
struct OnWidened {
  const F& f;
};

template <class T>
const accumulate_t<T>* widen_run(const T* x, int64_t size, Buffer<accumulate_t<T>>& buffer) {
  if constexpr (std::is_same_v<T, accumulate_t<T>>) {
    return x;
  } else {
    for_lanes<T>(size, [&]<int count>(LaneCount<count>, int64_t i) {
      store_lanes<count>(load_lanes<count>(x + i), buffer.data() + i);
    });
    return buffer.data();
  }
}

template <class Out, class... In, class F>
void unit_loop(const OnWidened<F>& on, int64_t size, Out* y, const In*... x) {
  using Wide = accumulate_t<Out>;
  for (int64_t begin = 0; begin < size; begin += gather_size) {
    const int64_t count = std::min(gather_size, size - begin);
    Wide result[gather_size];
    [[maybe_unused]] std::tuple<Buffer<accumulate_t<In>>...> buffers;
    [&]<size_t... I>(std::index_sequence<I...>) {
      unit_loop(on.f, count, result, widen_run(x + begin, count, std::get<I>(buffers))...);
    }
    (std::index_sequence_for<In...>{});
    for_lanes<Out>(count, [&]<int lanes>(LaneCount<lanes>, int64_t i) {
      store_lanes<lanes>(narrow_lanes<Out, lanes>(load_lanes<lanes>(result + i)), y + begin + i);
    });
  }
}

// Of rows that are not all of unit stride. Its buffers are no burden to those that are.
template <class Out, class... In, class F, size_t... I>
[[gnu::noinline]] void row_loop(const F& f, int64_t size, Out* y,
                                [[maybe_unused]] std::tuple<const In*...> x,
                                const std::array<int64_t, 1 + sizeof...(In)>& step,
                                std::index_sequence<I...>) {
  Buffer<Out> result;
  [[maybe_unused]] std::tuple<Buffer<In>...> buffers;
  for (int64_t begin = 0; begin < size; begin += gather_size) {
    const int64_t count = std::min(gather_size, size - begin);
    Out* out = step[0] == 1 ? y + begin : result.data();
    unit_loop(f, count, out,
              gather(std::get<I>(x), begin, step[I + 1], count, std::get<I>(buffers))...);
    if (step[0] != 1) {
      for (int64_t i = 0; i < count; ++i) y[(begin + i) * step[0]] = result.data()[i];
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
  const bool side_by_side =
      std::ranges::all_of(nest.strides[inner], [](int64_t step) { return step == 1; });

  // Elements are numbered in loop order; a range may begin and end inside a row.
  parallel_for(nest.numel, 32768, [&](int64_t begin, int64_t end) {
    NestWalk<views> rows(nest, inner, begin / inner_size);
    int64_t first = begin % inner_size;
    for (int64_t i = begin; i < end; rows.next()) {
      const int64_t count = std::min(inner_size - first, end - i);
      std::array<int64_t, views> offset = rows.offset();
      for (int v = 0; v < views; ++v) offset[v] += first * nest.strides[inner][v];
      [&]<size_t... I>(std::index_sequence<I...>) {
        Out* const to = y.as<Out>() + offset[0];
        if (side_by_side) {
          detail::unit_loop(f, count, to, x.template as<const In>() + offset[I + 1]...);
          return;
        }
        detail::row_loop<Out, In...>(
            f, count, to, std::tuple<const In*...>(x.template as<const In>() + offset[I + 1]...),
            nest.strides[inner], inputs);
      }
      (inputs);
      i += count;
      first = 0;
    }
  });
}

namespace detail {

template <class T, class F, class... Views>
void elementwise_of(const F& f, const View& y, const Views&... x) {
  [&]<class... In>(TypeList<In...>) {
    elementwise<T, In...>(f, y, x...);
  }(TypeList<std::conditional_t<true, T, Views>...>{});
}

}  // namespace detail

template <class F, class... Views>
void elementwise_floating(const char* kernel, const F& f, const View& y, const Views&... x) {
  dispatch<FloatTypes>(kernel, y, [&]<class T>(std::type_identity<T>) {
    using Compute = accumulate_t<T>;
    if constexpr (std::is_same_v<T, float16>) {
      detail::elementwise_of<T>(detail::OnWidened<F>{f}, y, x...);
    } else {
      const auto on_elements = [&f]<class... In>(In... value) {
        return T(static_cast<Compute>(f(static_cast<Compute>(value)...)));
      };
      detail::elementwise_of<T>(on_elements, y, x...);
    }
  });
}

// f for elementwise<...>, where it is of lanes.
template <class F>
detail::OnLanes<F> on_lanes(const F& f) {
  return {f};
}

template <class F, class... Views>
void elementwise_lanes(const char* kernel, const F& f, const View& y, const Views&... x) {
  dispatch<FloatTypes>(kernel, y, [&]<class T>(std::type_identity<T>) {
    detail::elementwise_of<T>(on_lanes(f), y, x...);
  });
}

// f for elementwise<...>, where it is f(size, y, x...) of whole runs.
template <class F>
detail::OnRuns<F> on_runs(const F& f) {
  return {f};
}

template <class F>
void elementwise_run(const char* kernel, ElementaryRuns::Function run, const F& f, const View& y,
                     const View& x) {
  const auto whole = on_runs([run](int64_t size, float* y, const float* x) { run(x, size, y); });
  dispatch<FloatTypes>(kernel, y, [&]<class T>(std::type_identity<T>) {
    if constexpr (std::is_same_v<T, double>) {
      elementwise<T, T>(f, y, x);
    } else if constexpr (std::is_same_v<T, float>) {
      elementwise<T, T>(whole, y, x);
    } else {
      elementwise<T, T>(detail::OnWidened<decltype(whole)>{whole}, y, x);
    }
  });
}

}  // namespace gestalt::cpu
