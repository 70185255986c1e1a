#pragma once

// elementwise<Out, In...>(f, y, x...): y[i] = f(x[i]...) over views of one shape and any strides.

#include <array>
#include <cstdint>

#include "kernels/cpu/parallel.h"
#include "kernels/types.h"

namespace gestalt::cpu {

// The loop nest of some views of one shape: dimensions of size 1 dropped, neighbours that lie as
// one in every view merged, the innermost (last) the one with the smallest strides of the first
// view.
template <int views>
struct LoopNest {
  int rank = 0;
  std::array<int64_t, Shape::max_rank> sizes{};
  std::array<std::array<int64_t, views>, Shape::max_rank> strides{};
  int64_t numel = 1;
};

template <int views>
LoopNest<views> make_loop_nest(const std::array<const View*, views>& list) {
  LoopNest<views> nest;
  const Shape& shape = list[0]->shape;
  std::array<int, Shape::max_rank> order{};
  int count = 0;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    nest.numel *= shape[dim];
    if (shape[dim] != 1) order[count++] = dim;
  }
  // Insertion sort, stable: outermost (largest stride of the output) first.
  for (int i = 1; i < count; ++i) {
    for (int j = i; j > 0 && list[0]->strides[order[j - 1]] < list[0]->strides[order[j]]; --j) {
      std::swap(order[j - 1], order[j]);
    }
  }
  for (int i = 0; i < count; ++i) {
    const int dim = order[i];
    bool merges = nest.rank > 0;
    for (int v = 0; v < views && merges; ++v) {
      merges = nest.strides[nest.rank - 1][v] == list[v]->strides[dim] * shape[dim];
    }
    if (merges) {
      nest.sizes[nest.rank - 1] *= shape[dim];
    } else {
      nest.sizes[nest.rank++] = shape[dim];
    }
    for (int v = 0; v < views; ++v) nest.strides[nest.rank - 1][v] = list[v]->strides[dim];
  }
  if (nest.rank == 0) nest.sizes[nest.rank++] = 1;
  return nest;
}

template <class Out, class... In, class F, class... Views>
void elementwise(const F& f, const View& y, const Views&... x) {
  static_assert(sizeof...(In) == sizeof...(Views));
  constexpr int views = 1 + sizeof...(In);
  const LoopNest<views> nest = make_loop_nest<views>({&y, &x...});
  if (nest.numel == 0) return;

  const int inner = nest.rank - 1;
  const int64_t inner_size = nest.sizes[inner];
  bool unit = true;
  for (int v = 0; v < views; ++v) unit = unit && nest.strides[inner][v] == 1;

  const auto run_row = [&](std::array<int64_t, views> offset, int64_t begin, int64_t end) {
    [&]<size_t... I>(std::index_sequence<I...>) {
      Out* out = y.as<Out>() + offset[0];
      const auto& step = nest.strides[inner];
      if (unit) {  // vectorizes
        for (int64_t i = begin; i < end; ++i)
          out[i] = f((x.template as<In>() + offset[I + 1])[i]...);
      } else {
        for (int64_t i = begin; i < end; ++i) {
          out[i * step[0]] = f((x.template as<In>() + offset[I + 1])[i * step[I + 1]]...);
        }
      }
    }
    (std::index_sequence_for<In...>{});
  };

  // Elements are numbered in loop order; a range may begin and end inside a row.
  parallel_for(nest.numel, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      int64_t row = i / inner_size;
      const int64_t first = i % inner_size;
      const int64_t last = std::min(inner_size, first + (end - i));
      std::array<int64_t, views> offset{};
      for (int dim = inner - 1; dim >= 0; --dim) {
        const int64_t index = row % nest.sizes[dim];
        row /= nest.sizes[dim];
        for (int v = 0; v < views; ++v) offset[v] += index * nest.strides[dim][v];
      }
      run_row(offset, first, last);
      i += last - first;
    }
  });
}

}  // namespace gestalt::cpu
