#pragma once

// reduce(context, reduction, y, x...): folds views of one shape into y, which has their rank and
// size 1 at the folded dimensions. Any strides.
//
// The order of the additions depends on the shapes and strides alone: the folded elements of an
// output are cut into chunks of fixed size, a chunk into a fixed number of lanes, and the partial
// results are added in order, whichever threads made them.
//
// A reduction has:
//   using Value;                              what is folded into
//   static Value identity();
//   static Value map(x...);                   of one element of each view
//   static Value combine(Value, Value);
//   auto finish(Value) const;                 converts to y's type

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/context.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/parallel.h"
#include "kernels/loop_nest.h"
#include "kernels/rounding.h"
#include "kernels/types.h"

namespace gestalt::cpu {

namespace detail {

inline constexpr int64_t chunk_elements = 32768;  // folded by one task
inline constexpr int64_t lanes = 16;              // independent sums along a row
inline constexpr int64_t column_block = 256;      // outputs that are folded side by side

// Offset of element `index`, in loop order, in view `v`.
template <int views>
int64_t nest_offset(const LoopNest<views>& nest, int64_t index, int v) {
  int64_t offset = 0;
  for (int dim = nest.rank - 1; dim >= 0; --dim) {
    offset += index % nest.sizes[dim] * nest.strides[dim][v];
    index /= nest.sizes[dim];
  }
  return offset;
}

template <int views>
std::array<int64_t, views> nest_offsets(const LoopNest<views>& nest, int64_t index) {
  std::array<int64_t, views> offset;
  for (int v = 0; v < views; ++v) offset[v] = nest_offset(nest, index, v);
  return offset;
}

template <class R, class... In>
struct Reducer {
  static constexpr int inputs = sizeof...(In);
  static constexpr auto each = std::index_sequence_for<In...>{};
  using Value = typename R::Value;
  using Offsets = std::array<int64_t, inputs>;

  LoopNest<inputs> folded;    // strides of the inputs
  LoopNest<inputs + 1> kept;  // strides of the inputs, then of y
  std::tuple<const In*...> data;
  int64_t chunks, chunk_size;
  bool columns;  // the inputs are densest along a kept dimension

  // Folds elements [begin, end), in loop order, of the output at `base`.
  Value fold_rows(const Offsets& base, int64_t begin, int64_t end) const {
    Value lane[lanes];
    std::fill_n(lane, lanes, R::identity());
    const int inner = folded.rank - 1;
    const Offsets& step = folded.strides[inner];
    for (int64_t i = begin; i < end;) {
      const int64_t first = i % folded.sizes[inner];
      const int64_t count = std::min(folded.sizes[inner] - first, end - i);
      const Offsets offset = nest_offsets(folded, i);
      [&]<size_t... I>(std::index_sequence<I...>) {
        if (((step[I] == 1) && ...)) {
          fold_row(lane, count, std::get<I>(data) + base[I] + offset[I]...);
        } else {
          for (int64_t k = 0; k < count; ++k) {
            Value& to = lane[k % lanes];
            to = R::combine(to, R::map(std::get<I>(data)[base[I] + offset[I] + k * step[I]]...));
          }
        }
      }
      (each);
      i += count;
    }
    for (int64_t width = lanes / 2; width > 0; width /= 2) {
      for (int64_t k = 0; k < width; ++k) lane[k] = R::combine(lane[k], lane[k + width]);
    }
    return lane[0];
  }

  static void fold_row(Value (&result)[lanes], int64_t count, const In*... x) {
    Value lane[lanes];  // a copy, so that it stays in registers
    std::copy_n(result, lanes, lane);
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
#pragma omp simd  // else it is unrolled, and selections stay scalar
      for (int64_t k = 0; k < lanes; ++k) lane[k] = R::combine(lane[k], R::map(x[i + k]...));
    }
    for (int64_t k = 0; i + k < count; ++k) lane[k] = R::combine(lane[k], R::map(x[i + k]...));
    std::copy_n(lane, lanes, result);
  }

  // Folds elements [begin, end) of `width` outputs that lie along the innermost kept dimension.
  void fold_columns(Value* result, int64_t width, const Offsets& base, int64_t begin,
                    int64_t end) const {
    std::fill_n(result, width, R::identity());
    const auto& step = kept.strides[kept.rank - 1];
    for (int64_t i = begin; i < end; ++i) {
      const Offsets offset = nest_offsets(folded, i);
      [&]<size_t... I>(std::index_sequence<I...>) {
        if (((step[I] == 1) && ...)) {
          fold_column(result, width, std::get<I>(data) + base[I] + offset[I]...);
        } else {
          for (int64_t k = 0; k < width; ++k) {
            result[k] = R::combine(result[k],
                                   R::map(std::get<I>(data)[base[I] + offset[I] + k * step[I]]...));
          }
        }
      }
      (each);
    }
  }

  static void fold_column(Value* result, int64_t width, const In*... x) {
    GESTALT_IVDEP
    for (int64_t k = 0; k < width; ++k) result[k] = R::combine(result[k], R::map(x[k]...));
  }

  Offsets base_of(int64_t output) const {
    Offsets base;
    for (int v = 0; v < inputs; ++v) base[v] = nest_offset(kept, output, v);
    return base;
  }

  // store(output, count, chunk, values) takes the partial results of outputs that lie along the
  // innermost kept dimension.
  template <class Store>
  void run(const Store& store) const {
    const auto range = [&](int64_t chunk) {
      return std::pair(chunk * chunk_size, std::min(folded.numel, (chunk + 1) * chunk_size));
    };
    const int64_t width = columns ? kept.sizes[kept.rank - 1] : 1;
    const int64_t blocks = ceil_div(width, column_block);  // in a run of columns
    const int64_t tasks = kept.numel / width * blocks * chunks;
    const int64_t work = std::min(folded.numel, chunk_size) * std::min(width, column_block);
    const int64_t grain = std::max<int64_t>(1, chunk_elements / std::max<int64_t>(1, work));
    parallel_for(tasks, grain, [&](int64_t first, int64_t last) {
      for (int64_t task = first; task < last; ++task) {
        const int64_t chunk = task % chunks;
        const auto [begin, end] = range(chunk);
        if (!columns) {
          const Value value = fold_rows(base_of(task / chunks), begin, end);
          store(task / chunks, 1, chunk, &value);
          continue;
        }
        const int64_t block = task / chunks;
        const int64_t column = block % blocks * column_block;
        const int64_t output = block / blocks * width + column;
        const int64_t count = std::min(column_block, width - column);
        Value result[column_block];
        fold_columns(result, count, base_of(output), begin, end);
        store(output, count, chunk, result);
      }
    });
  }
};

}  // namespace detail

template <class Out, class... In, class R, class... Views>
void reduce(Context& context, const R& reduction, const View& y, const Views&... x) {
  constexpr int inputs = sizeof...(In);
  static_assert(inputs == sizeof...(Views));
  using Value = typename R::Value;
  detail::Reducer<R, In...> reducer;
  const ReductionNest<inputs> nest = make_reduction_nest(y, x...);
  reducer.folded = nest.folded;
  reducer.kept = nest.kept;
  reducer.data = std::tuple(x.template as<const In>()...);
  const int64_t outputs = reducer.kept.numel;
  if (outputs == 0) return;

  const int64_t folded_step = reducer.folded.strides[reducer.folded.rank - 1][0];
  const int64_t kept_step = reducer.kept.strides[reducer.kept.rank - 1][0];
  reducer.columns =
      reducer.folded.numel > 1 && outputs > 1 && std::abs(kept_step) < std::abs(folded_step);
  const int64_t width =
      reducer.columns ? std::min(detail::column_block, reducer.kept.sizes[reducer.kept.rank - 1])
                      : 1;
  reducer.chunk_size = std::max<int64_t>(1, detail::chunk_elements / width);
  reducer.chunks = std::max<int64_t>(1, ceil_div(reducer.folded.numel, reducer.chunk_size));

  const int64_t y_step = reducer.kept.strides[reducer.kept.rank - 1][inputs];
  const auto finish = [&](int64_t output_index, int64_t count, const Value* values) {
    Out* to = y.as<Out>() + detail::nest_offset(reducer.kept, output_index, inputs);
    for (int64_t k = 0; k < count; ++k) to[k * y_step] = Out(reduction.finish(values[k]));
  };
  if (reducer.chunks == 1) {
    reducer.run([&](int64_t index, int64_t count, int64_t, const Value* values) {
      finish(index, count, values);
    });
    return;
  }
  Value* partial = static_cast<Value*>(
      context.workspace(static_cast<size_t>(outputs * reducer.chunks) * sizeof(Value)));
  reducer.run([&](int64_t index, int64_t count, int64_t chunk, const Value* values) {
    for (int64_t k = 0; k < count; ++k) partial[(index + k) * reducer.chunks + chunk] = values[k];
  });
  parallel_for(outputs, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const Value* from = partial + index * reducer.chunks;
      Value value = from[0];
      for (int64_t c = 1; c < reducer.chunks; ++c) value = R::combine(value, from[c]);
      finish(index, 1, &value);
    }
  });
}

}  // namespace gestalt::cpu
