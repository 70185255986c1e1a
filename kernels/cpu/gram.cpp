// gram_forward and gram_backward.
//
// f32, bf16 and f16: tiles of gram_tile rows on and below the diagonal, over chunks of the long
// dimension; each block is packed as f32, its products are summed in f32 over gram_block elements
// and then in f64. The chunks depend on the shape alone, and so do the bits of the result.
// f64 (and processors without AVX2): plain loops.

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/cpu/features.h"
#include "kernels/cpu/gram_tiles.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

#if defined(__AVX2__)

const GramTiles& gram_tiles() {
  return has_avx512() ? gram_tiles_avx512() : gram_tiles_avx2();
}

// to[padded_rows, padded_columns] = from[rows, columns] as f32, zeros around it.
template <class T>
void pack(const T* from, int64_t step, int64_t rows, int64_t columns, int64_t padded_rows,
          int64_t padded_columns, float* to) {
  for (int64_t r = 0; r < padded_rows; ++r, to += padded_columns) {
    const int64_t count = r < rows ? columns : 0;
    for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[r * step + c]);
    std::fill(to + count, to + padded_columns, 0.0f);
  }
}

// The tile (i, j), j <= i, among those on and below the diagonal, counted row by row.
struct Tile {
  int64_t i = 0, j = 0;
  explicit Tile(int64_t index) {
    while (index > i) index -= ++i;
    j = index;
  }
};

template <class T>
void forward_tiles(Context& context, const View& x, double scale, const View& y) {
  constexpr int64_t tile = gram_tile;
  const GramTiles& kernels = gram_tiles();
  const int64_t batch = x.shape[0], rows = x.shape[1], length = x.shape[2];
  const int64_t tile_rows = ceil_div(rows, tile);
  const int64_t tiles = tile_rows * (tile_rows + 1) / 2;
  // Partial sums of the chunks may take 16 MiB.
  const int64_t most_chunks =
      std::max<int64_t>(1, (int64_t{2} << 20) / (batch * tiles * tile * tile));
  const int64_t chunk =
      round_up(std::max<int64_t>(2 * gram_block, length / most_chunks + 1), gram_block);
  const int64_t chunks = std::max<int64_t>(1, ceil_div(length, chunk));

  // sums: [batch, tiles, chunks, tile, tile]
  auto* sums = static_cast<double*>(
      context.workspace(sizeof(double) * batch * tiles * chunks * tile * tile));
  parallel_for(batch * tiles * chunks, 1, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> left(new float[tile * gram_block]);
    const std::unique_ptr<float[]> right(new float[tile * gram_block]);
    // Counted with the chunks outermost, so that threads get like shares of the cheaper diagonal.
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / (batch * tiles);
      const int64_t image = task / tiles % batch;
      const Tile at(task % tiles);
      double* to = sums + (task % (batch * tiles) * chunks + part) * tile * tile;
      std::fill_n(to, tile * tile, 0.0);
      const T* from = x.as<T>() + image * rows * length;
      const int64_t rows_i = std::min(tile, rows - at.i * tile);
      const int64_t rows_j = std::min(tile, rows - at.j * tile);
      const int64_t stop = std::min(length, (part + 1) * chunk);
      for (int64_t l = part * chunk; l < stop; l += gram_block) {
        const int64_t count = std::min(gram_block, stop - l);
        const int64_t padded = round_up(count, 16);
        pack(from + at.i * tile * length + l, length, rows_i, count, round_up(rows_i, 4), padded,
             left.get());
        const float* other = left.get();
        if (at.i != at.j) {
          pack(from + at.j * tile * length + l, length, rows_j, count, round_up(rows_j, 4), padded,
               right.get());
          other = right.get();
        }
        kernels.dots(left.get(), round_up(rows_i, 4), other, round_up(rows_j, 4), padded,
                     at.i == at.j, to);
      }
    }
  });
  parallel_for(batch * tiles, 4, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<T[]> result(new T[tile * tile]);
    for (int64_t task = begin; task < end; ++task) {
      const Tile at(task % tiles);
      const double* from = sums + task * chunks * tile * tile;
      T* to = y.as<T>() + task / tiles * rows * rows;
      const int64_t i_first = at.i * tile, i_count = std::min(tile, rows - i_first);
      const int64_t j_first = at.j * tile, j_count = std::min(tile, rows - j_first);
      for (int64_t i = 0; i < i_count; ++i) {
        for (int64_t j = 0; j < (at.i == at.j ? i + 1 : j_count); ++j) {
          double sum = 0;
          for (int64_t c = 0; c < chunks; ++c) sum += from[(c * tile + i) * tile + j];
          result[i * tile + j] = T(static_cast<float>(scale * sum));
          if (at.i == at.j) result[j * tile + i] = result[i * tile + j];
        }
        if (at.i != at.j) {
          std::copy_n(&result[i * tile], j_count, to + (i_first + i) * rows + j_first);
        }
      }
      // Rows of the mirror image are written whole: single columns of y would share cache sets.
      for (int64_t j = 0; j < j_count; ++j) {
        T* mirrored = to + (j_first + j) * rows + i_first;
        for (int64_t i = 0; i < i_count; ++i) mirrored[i] = result[i * tile + j];
      }
    }
  });
}

template <class T>
void backward_tiles(Context& context, const View& dy, const View& x, double scale, const View& dx) {
  constexpr int64_t panel = gram_tile;
  constexpr int64_t most_rows = 256;  // of a task
  const GramTiles& kernels = gram_tiles();
  const int64_t batch = x.shape[0], rows = x.shape[1], length = x.shape[2];
  const int64_t padded = round_up(rows, 4);

  // symmetric: [batch, padded / 4, rows, 4] = scale * (dy + dy^T)
  auto* symmetric = static_cast<float*>(context.workspace(sizeof(float) * batch * padded * rows));
  parallel_for(batch * padded / 4, 16, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      const T* from = dy.as<T>() + group / (padded / 4) * rows * rows;
      float* to = symmetric + group * rows * 4;
      for (int64_t r = 0; r < 4; ++r) {
        const int64_t i = group % (padded / 4) * 4 + r;
        for (int64_t j = 0; j < rows; ++j) {
          to[j * 4 + r] =
              i < rows ? static_cast<float>(scale) * (static_cast<float>(from[i * rows + j]) +
                                                      static_cast<float>(from[j * rows + i]))
                       : 0.0f;
        }
      }
    }
  });

  const int64_t panels = ceil_div(length, panel);
  const int64_t parts = ceil_div(rows, most_rows);
  parallel_for(batch * panels * parts, 1, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> packed(new float[rows * panel]);
    float result[4 * panel];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t image = task / (panels * parts);
      const int64_t l = task / parts % panels * panel;
      const int64_t first = task % parts * most_rows;
      const int64_t width = std::min(panel, length - l);
      pack(x.as<T>() + image * rows * length + l, length, rows, width, rows, panel, packed.get());
      for (int64_t i = first; i < std::min(rows, first + most_rows); i += 4) {
        kernels.product(symmetric + (image * padded + i) * rows, packed.get(), rows, result);
        for (int64_t r = 0; r < std::min<int64_t>(4, rows - i); ++r) {
          T* to = dx.as<T>() + (image * rows + i + r) * length + l;
          for (int64_t c = 0; c < width; ++c) to[c] = T(result[r * panel + c]);
        }
      }
    }
  });
}

#endif

template <class T>
void forward_plain(const View& x, double scale, const View& y) {
  using Sum = accumulate_t<T>;
  const int64_t rows = x.shape[1], length = x.shape[2];
  parallel_for(x.shape[0] * rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* from = x.as<T>() + row / rows * rows * length;
      T* to = y.as<T>() + row / rows * rows * rows;
      const int64_t i = row % rows;
      for (int64_t j = 0; j <= i; ++j) {
        Sum sum = 0;
        for (int64_t l = 0; l < length; ++l) {
          sum += static_cast<Sum>(from[i * length + l]) * static_cast<Sum>(from[j * length + l]);
        }
        to[i * rows + j] = to[j * rows + i] = T(static_cast<Sum>(scale) * sum);
      }
    }
  });
}

template <class T>
void backward_plain(const View& dy, const View& x, double scale, const View& dx) {
  using Sum = accumulate_t<T>;
  const int64_t rows = x.shape[1], length = x.shape[2];
  parallel_for(x.shape[0] * rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<Sum> sum(length);
    for (int64_t row = begin; row < end; ++row) {
      const T* grad = dy.as<T>() + row / rows * rows * rows;
      const T* from = x.as<T>() + row / rows * rows * length;
      const int64_t i = row % rows;
      std::fill(sum.begin(), sum.end(), Sum{0});
      for (int64_t j = 0; j < rows; ++j) {
        const Sum weight = static_cast<Sum>(scale) * (static_cast<Sum>(grad[i * rows + j]) +
                                                      static_cast<Sum>(grad[j * rows + i]));
        for (int64_t l = 0; l < length; ++l) {
          sum[l] += weight * static_cast<Sum>(from[j * length + l]);
        }
      }
      for (int64_t l = 0; l < length; ++l) dx.as<T>()[row * length + l] = T(sum[l]);
    }
  });
}

}  // namespace

void gram_forward([[maybe_unused]] Context& context, const View& x, double scale, const View& y) {
  if (y.numel() == 0) return;
  dispatch<FloatTypes>("gram_forward", x, [&]<class T>(std::type_identity<T>) {
#if defined(__AVX2__)
    if constexpr (!std::is_same_v<T, double>) return forward_tiles<T>(context, x, scale, y);
#endif
    forward_plain<T>(x, scale, y);
  });
}

void gram_backward([[maybe_unused]] Context& context, const View& dy, const View& x, double scale,
                   const View& dx) {
  if (dx.numel() == 0) return;
  dispatch<FloatTypes>("gram_backward", x, [&]<class T>(std::type_identity<T>) {
#if defined(__AVX2__)
    if constexpr (!std::is_same_v<T, double>) return backward_tiles<T>(context, dy, x, scale, dx);
#endif
    backward_plain<T>(dy, x, scale, dx);
  });
}

}  // namespace gestalt::cpu
