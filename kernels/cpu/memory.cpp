#include <cstring>
#include <type_traits>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/interleave.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/transpose.h"
#include "kernels/dispatch.h"
#include "kernels/loop_nest.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"
#include "kernels/to_integer.h"

namespace gestalt::cpu {

namespace {

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bfloat16> || std::is_same_v<To, float16>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, bfloat16> || std::is_same_v<From, float16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// Between f32 and a type of 16 bits.
template <class To, class From>
constexpr bool is_half_and_float =
    std::is_same_v<accumulate_t<To>, float>&& std::is_same_v<accumulate_t<From>, float> &&
    sizeof(To) + sizeof(From) == 6 && std::is_same_v<To, float> != std::is_same_v<From, float>;

// A copy where both have unit stride along the same dimension: rows of bytes. False where they do
// not, and where rows are so short that calls take longer than loops over elements; of u8 they do
// not.
bool try_rows(const LoopNest<2>& nest, const View& x, const View& y) {
  const int inner = nest.rank - 1;
  const int64_t length = nest.sizes[inner], size = size_of(x.dtype);
  if (length > 1 && nest.strides[inner] != std::array<int64_t, 2>{1, 1}) return false;
  if (nest.rank > 1 && length * size < 128 && size > 1) return false;
  parallel_for(nest.numel, 32768, [&](int64_t begin, int64_t end) {
    NestWalk<2> rows(nest, inner, begin / length);
    int64_t first = begin % length;
    for (int64_t i = begin; i < end; rows.next()) {
      const int64_t count = std::min(length - first, end - i);
      std::memmove(y.as<std::byte>() + (rows.offset()[0] + first) * size,
                   x.as<const std::byte>() + (rows.offset()[1] + first) * size, count * size);
      i += count;
      first = 0;
    }
  });
  return true;
}

// y[j * to_stride + i] = x[i * from_stride + j] for i < rows, j < columns.
template <class T>
void transpose_block(const T* x, int64_t from_stride, int64_t rows, int64_t columns, T* y,
                     int64_t to_stride) {
  if (columns == 3 && from_stride == 3) return deinterleave_3(x, y, to_stride, rows);
  if (rows == 3 && to_stride == 3) return interleave_3(x, from_stride, y, columns);
  const int64_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8) {
    for (int64_t j = 0; j < whole_columns; j += 8) {
      transpose_8x8(x + i * from_stride + j, from_stride, y + j * to_stride + i, to_stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      y[j * to_stride + i] = x[i * from_stride + j];
    }
  }
}

// A copy where x and y have unit stride along different dimensions, such as between the formats of
// images: whole cache lines of both, where loops over elements use one of each line of x. False
// where the views are not like that.
template <class T>
bool try_transpose(const LoopNest<2>& nest, const View& x, const View& y) {
  const int to = nest.rank - 1;  // y's unit stride
  int from = 0;                  // x's
  while (from < to && nest.strides[from][1] != 1) ++from;
  if (from == to || nest.strides[to][0] != 1) return false;
  const int64_t rows = nest.sizes[to], columns = nest.sizes[from];
  const bool from_rgb = columns == 3 && nest.strides[to][1] == 3;
  if (columns < 8 && !from_rgb) return false;
  const int64_t line = rows == 3 ? 4096 : 64 / sizeof(T);
  const int64_t stretch = from_rgb ? std::min<int64_t>(rows, 4096) : rows;
  const int64_t blocks = ceil_div(columns, line), pieces = ceil_div(rows, stretch);
  const int64_t outer = nest.numel / (rows * columns);
  parallel_for(outer * blocks * pieces, ceil_div(int64_t{32768}, stretch * line),
               [&](int64_t begin, int64_t end) {
                 for (int64_t unit = begin; unit < end; ++unit) {
                   const int64_t column = unit % blocks * line;
                   const int64_t row = unit / blocks % pieces * stretch;
                   int64_t rest = unit / blocks / pieces;
                   int64_t x_offset = column + row * nest.strides[to][1];
                   int64_t y_offset = column * nest.strides[from][0] + row;
                   for (int dim = to - 1; dim >= 0; --dim) {
                     if (dim == from) continue;
                     const int64_t index = rest % nest.sizes[dim];
                     rest /= nest.sizes[dim];
                     x_offset += index * nest.strides[dim][1];
                     y_offset += index * nest.strides[dim][0];
                   }
                   transpose_block(x.as<const T>() + x_offset, nest.strides[to][1],
                                   std::min(stretch, rows - row), std::min(line, columns - column),
                                   y.as<T>() + y_offset, nest.strides[from][0]);
                 }
               });
  return true;
}

}  // namespace

void copy(Context&, const View& x, const View& y) {
  if (x.numel() == 0) return;
  const LoopNest<2> nest = make_loop_nest<2>({&y, &x});
  if (x.dtype == y.dtype && try_rows(nest, x, y)) return;
  dispatch<AllTypes>("copy", x, [&]<class From>(std::type_identity<From>) {
    if (x.dtype == y.dtype && try_transpose<From>(nest, x, y)) return;
    dispatch<AllTypes>("copy", y, [&]<class To>(std::type_identity<To>) {
      if constexpr (is_half_and_float<To, From>) {  // whose conversions the compiler leaves scalar
        elementwise<To, From>(on_lanes([](auto value) { return value; }), y, x);
      } else {
        elementwise<To, From>([](From value) { return convert<To>(value); }, y, x);
      }
    });
  });
}

void fill(Context&, double value, const View& y) {
  dispatch<AllTypes>("fill", y, [&]<class T>(std::type_identity<T>) {
    const T element = convert<T>(value);
    elementwise<T>([element] { return element; }, y);
  });
}

}  // namespace gestalt::cpu
