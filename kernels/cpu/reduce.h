#pragma once

// reduce(context, reduction, y, x...): folds views of one shape into y, which has their rank and
// size 1 at the folded dimensions. Any strides.
//
// The order of the additions depends on the shapes and strides alone: the folded elements of an
// output are cut into chunks of fixed size, a chunk into a fixed number of lanes, and the partial
// results are added in order, whichever threads made them.
//
// A reduction has these, of lanes side by side (lanes.h) or one number:
//   using Value;                      what is folded into
//   static Value identity();
//   static auto map(V x...);          of elements of each view, widened: Values
//   static V combine(V, V);           of Values
//   auto finish(Value) const;         converts to y's type
// and may have, for one f32 after widening and for f32 as they are:
//   static V merge(V, V, V, V);       four elements as one, which is mapped for them
//   static void terms(int64_t count, float* y, const float* x...);
//                                     of runs: what is added up, in f64, in place of what map gives

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/context.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/lanes.h"
#include "kernels/loop_nest.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"
#include "kernels/types.h"

namespace gestalt::cpu {

namespace detail {

inline constexpr int64_t chunk_elements = 32768;  // folded by one task
inline constexpr int row_vectors = 8;             // independent sums along a row, of a vector each
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
  using Bases = std::array<int64_t, inputs + 1>;  // of an output in the inputs, and in y
  static constexpr int lanes = 32 / sizeof(Value);
  using Values = Lanes<Value, lanes>;

  LoopNest<inputs> folded;    // strides of the inputs
  LoopNest<inputs + 1> kept;  // strides of the inputs, then of y
  std::tuple<const In*...> data;
  int64_t chunks, chunk_size;
  bool columns;  // the inputs are densest along a kept dimension
  bool is_row;   // what is folded lies in one run of each input, or is nothing

  // What a row is folded into: vectors side by side, and the elements that fill none.
  struct Partial {
    Values vector[row_vectors];
    Value rest = R::identity();

    Partial() {
#pragma GCC unroll 8
      for (Values& values : vector) values = Values{} + R::identity();
    }
    Value all() const {
      Values sum[4];
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) sum[v] = R::combine(vector[v], vector[v + 4]);
      const Values values = R::combine(R::combine(sum[0], sum[2]), R::combine(sum[1], sum[3]));
      return R::combine(fold_halves<lanes>(values), rest);
    }
    // The one half into the other, and so on: a choice between two numbers would be a branch.
    template <int count>
    static Value fold_halves(const Lanes<Value, count>& values) {
      if constexpr (count == 1) {
        return values;
      } else {
        constexpr int half = count / 2;
        Value lane[count];
        store_lanes<count>(values, lane);
        return fold_halves<half>(R::combine(load_lanes<half>(lane), load_lanes<half>(lane + half)));
      }
    }
  };

  // Folds elements [begin, end), in loop order, of the output at `base`.
  Value fold_rows(const Bases& base, int64_t begin, int64_t end) const {
    const int inner = folded.rank - 1;
    const Offsets& step = folded.strides[inner];
    if (is_row) {
      return [&]<size_t... I>(std::index_sequence<I...>) {
        Partial partial;
        fold_row(partial, end - begin, std::get<I>(data) + base[I] + begin...);
        return partial.all();
      }
      (each);
    }
    Partial partial;
    NestWalk<inputs> rows(folded, inner, inner == 0 ? 0 : begin / folded.sizes[inner]);
    int64_t first = inner == 0 ? begin : begin % folded.sizes[inner];
    for (int64_t i = begin; i < end; rows.next()) {
      const int64_t count = std::min(folded.sizes[inner] - first, end - i);
      [&]<size_t... I>(std::index_sequence<I...>) {
        const auto row =
            std::tuple(std::get<I>(data) + base[I] + rows.offset()[I] + first * step[I]...);
        if (((step[I] == 1) && ...)) {
          Partial of_row = partial;
          fold_row(of_row, count, std::get<I>(row)...);
          partial = of_row;
        } else {
          for (int64_t k = 0; k < count; ++k) {
            partial.rest =
                R::combine(partial.rest, R::map(widened(std::get<I>(row)[k * step[I]])...));
          }
        }
      }
      (each);
      i += count;
      first = 0;
    }
    return partial.all();
  }

  static constexpr bool merges = requires(float x) {
    R::merge(x, x, x, x);
  };
  // A vector of f32, of which a Values holds half.
  static constexpr int merged_lanes = 2 * lanes;
  using Merged = Lanes<float, merged_lanes>;
  static std::array<Values, 2> map_halves(const Merged& merged) {
    const auto [low, high] = halves(merged);
    return {R::map(low), R::map(high)};
  }

  // Inline, so that the partial results stay in registers.
  [[gnu::always_inline]] static void fold_row(Partial& partial, int64_t count, const In*... x) {
    if constexpr (requires(float* y) { R::terms(count, y, x...); }) {
      constexpr int64_t block = 256;
      alignas(64) float terms[block];
      for (int64_t i = 0; i < count; i += block) {
        const int64_t size = std::min(block, count - i);
        R::terms(size, terms, x + i...);
        fold_mapped(
            partial, size, [](auto term) { return to_doubles(term); }, terms);
      }
    } else {
      int64_t i = 0;
      if constexpr (merges) i = fold_merged(partial, count, x...);
      fold_mapped(
          partial, count - i, [](auto... values) { return R::map(values...); }, x + i...);
    }
  }

  // Folds what fills four vectors of f32, and returns how many elements these are.
  template <class T>
  [[gnu::always_inline]] static int64_t fold_merged(Partial& partial, int64_t count, const T* x) {
    constexpr int64_t run = 4 * merged_lanes;
    int64_t i = 0;
    const auto take = [&](int v) {
      const auto at = [&](int j) { return load_lanes<merged_lanes>(x + i + j * merged_lanes); };
      const auto halves = map_halves(R::merge(at(0), at(1), at(2), at(3)));
      for (int h = 0; h < 2; ++h) {
        partial.vector[v + h] = R::combine(partial.vector[v + h], halves[h]);
      }
      i += run;
    };
    while (i + row_vectors / 2 * run <= count) {
#pragma GCC unroll 8
      for (int v = 0; v < row_vectors; v += 2) take(v);
    }
#pragma GCC unroll 8
    for (int v = 0; v < row_vectors - 2; v += 2) {
      if (i + run <= count) take(v);
    }
    return i;
  }

  template <class Map, class... X>
  [[gnu::always_inline]] static void fold_mapped(Partial& partial, int64_t count, const Map& map,
                                                 const X*... x) {
    int64_t i = 0;
    const auto take = [&](int v) {
      partial.vector[v] =
          R::combine(partial.vector[v], map(load_lanes<lanes>(x + i + v * lanes)...));
    };
    for (; i + row_vectors * lanes <= count; i += row_vectors * lanes) {
#pragma GCC unroll 8
      for (int v = 0; v < row_vectors; ++v) take(v);
    }
    const int64_t vectors = (count - i) / lanes;
#pragma GCC unroll 8
    for (int v = 0; v < row_vectors - 1; ++v) {
      if (v < vectors) take(v);
    }
    for (i += vectors * lanes; i < count; ++i) {
      partial.rest = R::combine(partial.rest, map(widened(x[i])...));
    }
  }

  // Folds elements [begin, end) of `width` outputs that lie along the innermost kept dimension.
  void fold_columns(Value* result, int64_t width, const Bases& base, int64_t begin,
                    int64_t end) const {
    std::fill_n(result, width, R::identity());
    const auto& step = kept.strides[kept.rank - 1];
    NestWalk<inputs> row(folded, folded.rank, begin);
    const auto next = [&] {
      const auto at = [&]<size_t... I>(std::index_sequence<I...>) {
        return std::tuple(std::get<I>(data) + base[I] + row.offset()[I]...);
      }
      (each);
      row.next();
      return at;
    };
    const bool side_by_side = [&]<size_t... I>(std::index_sequence<I...>) {
      return ((step[I] == 1) && ...);
    }
    (each);
    int64_t i = begin;
    if (side_by_side) {
      for (; i + 4 <= end; i += 4) {
        const auto a = next(), b = next(), c = next(), d = next();
        if constexpr (merges) {
          fold_merged_column(result, width, std::get<0>(a), std::get<0>(b), std::get<0>(c),
                             std::get<0>(d));
        } else {
          fold_column(result, width, a, b, c, d);
        }
      }
      for (; i < end; ++i) fold_column(result, width, next());
    }
    for (; i < end; ++i) {
      std::apply(
          [&](const In*... x) {
            [&]<size_t... I>(std::index_sequence<I...>) {
              for (int64_t k = 0; k < width; ++k) {
                result[k] = R::combine(result[k], R::map(widened(x[k * step[I]])...));
              }
            }
            (each);
          },
          next());
    }
  }

  // One row after the other.
  template <class... Rows>
  static void fold_column(Value* result, int64_t width, const Rows&... rows) {
    const auto at = [&]<int count>(LaneCount<count>, int64_t k) {
      auto values = load_lanes<count>(result + k);
      ((values = R::combine(
            values,
            std::apply([k](const In*... x) { return R::map(load_lanes<count>(x + k)...); }, rows))),
       ...);
      store_lanes<count>(values, result + k);
    };
    int64_t k = 0;
    for (; k + lanes <= width; k += lanes) at(LaneCount<lanes>{}, k);
    for (; k < width; ++k) at(LaneCount<1>{}, k);
  }

  template <class T>
  static void fold_merged_column(Value* result, int64_t width, const T* a, const T* b, const T* c,
                                 const T* d) {
    const auto merged = [&]<int count>(LaneCount<count>, int64_t k) {
      return R::merge(load_lanes<count>(a + k), load_lanes<count>(b + k), load_lanes<count>(c + k),
                      load_lanes<count>(d + k));
    };
    const auto add = [&]<int count>(LaneCount<count>, int64_t k,
                                    const Lanes<Value, count>& values) {
      store_lanes<count>(R::combine(load_lanes<count>(result + k), values), result + k);
    };
    int64_t k = 0;
    for (; k + merged_lanes <= width; k += merged_lanes) {
      const auto halves = map_halves(merged(LaneCount<merged_lanes>{}, k));
      add(LaneCount<lanes>{}, k, halves[0]);
      add(LaneCount<lanes>{}, k + lanes, halves[1]);
    }
    for (; k < width; ++k) add(LaneCount<1>{}, k, R::map(merged(LaneCount<1>{}, k)));
  }

  // store(output, its offset in y, count, chunk, values) takes the partial results of outputs that
  // lie along the innermost kept dimension.
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
      if (!columns) {
        NestWalk<inputs + 1> outputs(kept, kept.rank, first / chunks);
        for (int64_t task = first, chunk = first % chunks; task < last; ++task) {
          const auto [begin, end] = range(chunk);
          const Value value = fold_rows(outputs.offset(), begin, end);
          store(task / chunks, outputs.offset()[inputs], 1, chunk, &value);
          if (++chunk < chunks) continue;
          chunk = 0;
          outputs.next();
        }
        return;
      }
      for (int64_t task = first; task < last; ++task) {
        const int64_t chunk = task % chunks;
        const auto [begin, end] = range(chunk);
        const int64_t block = task / chunks;
        const int64_t column = block % blocks * column_block;
        const int64_t output = block / blocks * width + column;
        const int64_t count = std::min(column_block, width - column);
        const Bases base = nest_offsets(kept, output);
        Value result[column_block];
        fold_columns(result, count, base, begin, end);
        store(output, base[inputs], count, chunk, result);
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
  reducer.is_row =
      reducer.folded.numel == 0 ||
      (reducer.folded.rank == 1 &&
       std::ranges::all_of(reducer.folded.strides[0], [](int64_t s) { return s == 1; }));
  const int64_t width =
      reducer.columns ? std::min(detail::column_block, reducer.kept.sizes[reducer.kept.rank - 1])
                      : 1;
  reducer.chunk_size = std::max<int64_t>(1, detail::chunk_elements / width);
  reducer.chunks = std::max<int64_t>(1, ceil_div(reducer.folded.numel, reducer.chunk_size));

  const int64_t y_step = reducer.kept.strides[reducer.kept.rank - 1][inputs];
  const auto finish = [&](int64_t offset, int64_t count, const Value* values) {
    Out* to = y.as<Out>() + offset;
    for (int64_t k = 0; k < count; ++k) to[k * y_step] = Out(reduction.finish(values[k]));
  };
  if (reducer.chunks == 1) {
    reducer.run([&](int64_t, int64_t offset, int64_t count, int64_t, const Value* values) {
      finish(offset, count, values);
    });
    return;
  }
  Value* partial = static_cast<Value*>(
      context.workspace(static_cast<size_t>(outputs * reducer.chunks) * sizeof(Value)));
  reducer.run([&](int64_t index, int64_t, int64_t count, int64_t chunk, const Value* values) {
    for (int64_t k = 0; k < count; ++k) partial[(index + k) * reducer.chunks + chunk] = values[k];
  });
  parallel_for(outputs, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const Value* from = partial + index * reducer.chunks;
      Value value = from[0];
      for (int64_t c = 1; c < reducer.chunks; ++c) value = R::combine(value, from[c]);
      finish(detail::nest_offset(reducer.kept, index, inputs), 1, &value);
    }
  });
}

}  // namespace gestalt::cpu
