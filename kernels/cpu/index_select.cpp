// Rows by their numbers, and the sums of rows that were taken more than once.

#include <algorithm>
#include <vector>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/reduce.h"
#include "kernels/dispatch.h"
#include "kernels/loop_nest.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

std::vector<int64_t> checked_indices(const char* kernel, const View& indices, int64_t size) {
  std::vector<int64_t> list(indices.numel());
  for (size_t k = 0; k < list.size(); ++k) {
    list[k] = indices.as<const int64_t>()[static_cast<int64_t>(k) * indices.strides[0]];
    GESTALT_CHECK(list[k] >= 0 && list[k] < size, "[{}] index {} at {} is not one of the {} rows",
                  kernel, list[k], k, size);
  }
  return list;
}

// y and x walked together: x is seen with y's shape, of which `dim` leaves it where it is. The
// third view counts along dim.
LoopNest<3> rows_nest(const View& y, const View& x, int dim) {
  View row = y, still = x;
  row.strides = Shape::filled(y.rank(), 0);
  row.strides[dim] = 1;
  still.strides[dim] = 0;
  still.shape = y.shape;
  return make_loop_nest<3>({&y, &still, &row});
}

// f(count, offsets, steps) for pieces of `nest`'s rows of at most `most` elements.
template <class F>
void for_each_piece(const LoopNest<3>& nest, int64_t most, int64_t grain, const F& f) {
  const int inner = nest.rank - 1;
  const int64_t size = nest.sizes[inner];
  if (nest.numel == 0) return;
  const int64_t pieces = ceil_div(size, most);
  parallel_for(nest.numel / size * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece % pieces * most;
      f(std::min(most, size - first), detail::nest_offsets(nest, piece / pieces * size + first),
        nest.strides[inner]);
    }
  });
}

constexpr int64_t piece_size = 256;

}  // namespace

void index_select_forward(Context&, const View& x, int dim, const View& indices, const View& y) {
  const std::vector<int64_t> list = checked_indices("index_select", indices, x.shape[dim]);
  const int64_t row_step = x.strides[dim];
  dispatch<AllTypes>("index_select_forward", x, [&]<class T>(std::type_identity<T>) {
    for_each_piece(rows_nest(y, x, dim), piece_size, 32768 / piece_size,
                   [&](int64_t count, const auto& offset, const auto& step) {
                     T* to = y.as<T>() + offset[0];
                     const T* from = x.as<const T>() + offset[1];
                     if (step[2] == 0) {
                       from += list[offset[2]] * row_step;
                       if (step[0] == 1 && step[1] == 1) {
                         detail::unit_loop([](T value) { return value; }, count, to, from);
                         return;
                       }
                       for (int64_t i = 0; i < count; ++i) to[i * step[0]] = from[i * step[1]];
                     } else {
                       for (int64_t i = 0; i < count; ++i) {
                         to[i * step[0]] =
                             from[i * step[1] + list[offset[2] + i * step[2]] * row_step];
                       }
                     }
                   });
  });
}

void index_select_backward(Context&, const View& dy, int dim, const View& indices, const View& dx) {
  const int64_t rows = dx.shape[dim], row_step = dy.strides[dim];
  const std::vector<int64_t> list = checked_indices("index_select", indices, rows);
  // The offsets in dy of the rows that went to row i: from starts[i] to starts[i + 1].
  std::vector<int64_t> starts(rows + 1, 0), sources(list.size());
  for (const int64_t index : list) ++starts[index + 1];
  for (int64_t i = 0; i < rows; ++i) starts[i + 1] += starts[i];
  std::vector<int64_t> next(starts.begin(), starts.end() - 1);
  for (size_t k = 0; k < list.size(); ++k) {
    sources[next[list[k]]++] = static_cast<int64_t>(k) * row_step;
  }

  dispatch<FloatTypes>("index_select_backward", dx, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const int64_t work =
        piece_size * std::max<int64_t>(1, dy.shape[dim] / std::max<int64_t>(rows, 1));
    for_each_piece(rows_nest(dx, dy, dim), piece_size, std::max<int64_t>(1, 32768 / work),
                   [&](int64_t count, const auto& offset, const auto& step) {
                     T* to = dx.as<T>() + offset[0];
                     const T* from = dy.as<const T>() + offset[1];
                     Sum sum[piece_size] = {};
                     if (step[2] == 0) {
                       for (int64_t s = starts[offset[2]]; s < starts[offset[2] + 1]; ++s) {
                         const T* source = from + sources[s];
                         for (int64_t i = 0; i < count; ++i) {
                           sum[i] += static_cast<Sum>(source[i * step[1]]);
                         }
                       }
                     } else {
                       for (int64_t i = 0; i < count; ++i) {
                         const int64_t row = offset[2] + i * step[2];
                         for (int64_t s = starts[row]; s < starts[row + 1]; ++s) {
                           sum[i] += static_cast<Sum>(from[i * step[1] + sources[s]]);
                         }
                       }
                     }
                     for (int64_t i = 0; i < count; ++i) to[i * step[0]] = T(sum[i]);
                   });
  });
}

}  // namespace gestalt::cpu
