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
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
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

// How the sums of y = scale x x^T are cut: into tiles, and each tile's into chunks of the long
// dimension.
struct GramParts {
  int64_t batch, rows, length;  // of x
  int64_t tiles;                // of an image
  int64_t chunk, chunks;        // the elements of one, and how many there are

  explicit GramParts(const Shape& x) : batch(x[0]), rows(x[1]), length(x[2]) {
    const int64_t tile_rows = ceil_div(rows, gram_tile);
    tiles = tile_rows * (tile_rows + 1) / 2;
    // Partial sums of the chunks may take 16 MiB.
    const int64_t most = std::max<int64_t>(1, (int64_t{2} << 20) / (batch * tiles * tile_size));
    chunk = round_up(std::max<int64_t>(2 * gram_block, length / most + 1), gram_block);
    chunks = std::max<int64_t>(1, ceil_div(length, chunk));
  }

  static constexpr int64_t tile_size = gram_tile * gram_tile;
  int64_t rows_of(int64_t tile_row) const {
    return std::min(gram_tile, rows - tile_row * gram_tile);
  }
};

// The sums [tile, tile] over elements [begin, end) of the long dimension. x: one image. left,
// right: room for a block each.
template <class T>
void sum_chunk(const GramParts& parts, const T* x, const Tile& at, int64_t begin, int64_t end,
               float* left, float* right, double* sums) {
  const GramTiles& kernels = gram_tiles();
  const int64_t rows_i = parts.rows_of(at.i), rows_j = parts.rows_of(at.j);
  const int64_t padded_i = round_up(rows_i, 4), padded_j = round_up(rows_j, 4);
  const bool diagonal = at.i == at.j;
  std::fill_n(sums, GramParts::tile_size, 0.0);
  for (int64_t l = begin; l < end; l += gram_block) {
    const int64_t count = std::min(gram_block, end - l);
    const int64_t padded = round_up(count, 16);
    const auto pack_rows = [&](int64_t tile_row, int64_t rows, int64_t padded_rows, float* to) {
      pack(x + tile_row * gram_tile * parts.length + l, parts.length, rows, count, padded_rows,
           padded, to);
    };
    pack_rows(at.i, rows_i, padded_i, left);
    if (!diagonal) pack_rows(at.j, rows_j, padded_j, right);
    kernels.dots(left, padded_i, diagonal ? left : right, padded_j, padded, diagonal, sums);
  }
}

// A tile and its mirror image of y, one image [rows, rows], from its chunks' sums. result: room for
// a tile.
template <class T>
void write_tile(const GramParts& parts, const double* sums, const Tile& at, double scale, T* result,
                T* y) {
  constexpr int64_t tile = gram_tile;
  const int64_t rows = parts.rows;
  const int64_t i_first = at.i * tile, i_count = parts.rows_of(at.i);
  const int64_t j_first = at.j * tile, j_count = parts.rows_of(at.j);
  for (int64_t i = 0; i < i_count; ++i) {
    for (int64_t j = 0; j < (at.i == at.j ? i + 1 : j_count); ++j) {
      double sum = 0;
      for (int64_t c = 0; c < parts.chunks; ++c) sum += sums[(c * tile + i) * tile + j];
      result[i * tile + j] = T(static_cast<float>(scale * sum));
      if (at.i == at.j) result[j * tile + i] = result[i * tile + j];
    }
    if (at.i != at.j) {
      std::copy_n(&result[i * tile], j_count, y + (i_first + i) * rows + j_first);
    }
  }
  // Rows of the mirror image are written whole: single columns of y would share cache sets.
  for (int64_t j = 0; j < j_count; ++j) {
    T* mirrored = y + (j_first + j) * rows + i_first;
    for (int64_t i = 0; i < i_count; ++i) mirrored[i] = result[i * tile + j];
  }
}

template <class T>
void forward_tiles(Context& context, const View& x, double scale, const View& y) {
  const GramParts parts(x.shape);
  const int64_t all_tiles = parts.batch * parts.tiles;
  // sums: [batch, tiles, chunks, tile, tile]
  const int64_t tile_sums = parts.chunks * GramParts::tile_size;
  auto* sums = static_cast<double*>(context.workspace(sizeof(double) * all_tiles * tile_sums));
  parallel_for(all_tiles * parts.chunks, 1, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> left(new float[gram_tile * gram_block]);
    const std::unique_ptr<float[]> right(new float[gram_tile * gram_block]);
    // Counted with the chunks outermost, so that threads get like shares of the cheaper diagonal.
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / all_tiles, tile = task % all_tiles;
      const T* image = x.as<T>() + tile / parts.tiles * parts.rows * parts.length;
      const int64_t first = part * parts.chunk;
      sum_chunk(parts, image, Tile(tile % parts.tiles), first,
                std::min(parts.length, first + parts.chunk), left.get(), right.get(),
                sums + tile * tile_sums + part * GramParts::tile_size);
    }
  });
  parallel_for(all_tiles, 4, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<T[]> result(new T[GramParts::tile_size]);
    for (int64_t tile = begin; tile < end; ++tile) {
      T* image = y.as<T>() + tile / parts.tiles * parts.rows * parts.rows;
      write_tile(parts, sums + tile * tile_sums, Tile(tile % parts.tiles), scale, result.get(),
                 image);
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
        double sum = 0;  // in f32, long rows would keep five digits
        for (int64_t l = 0; l < length; ++l) {
          sum += static_cast<double>(static_cast<Sum>(from[i * length + l])) *
                 static_cast<Sum>(from[j * length + l]);
        }
        to[i * rows + j] = to[j * rows + i] = T(static_cast<Sum>(scale * sum));
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
