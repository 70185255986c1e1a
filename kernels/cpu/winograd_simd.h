#pragma once

// The code behind Kernels, over a vector type Simd; see winograd_kernels.h for why it is included
// only where its width is chosen. Simd has: Reg, lanes, rows (of the product's register block),
// load, load_some and store_some (lanes [low, high), others zero or untouched), load_eight,
// load_column, store, set, add, subtract, multiply, fma (a * b + c), negative_fma (c - a * b),
// maximum, deinterleave, interleave, shift_in.

#include <algorithm>

#include "kernels/cpu/winograd_kernels.h"

namespace gestalt::cpu::winograd {
namespace {

// B^T d: six values of a tile's row or column.
template <class Simd>
inline void input_transform(const typename Simd::Reg (&d)[6], typename Simd::Reg (&t)[6]) {
  using Reg = typename Simd::Reg;
  const Reg four = Simd::set(4), five = Simd::set(5), two = Simd::set(2);
  t[0] = Simd::fma(four, d[0], Simd::negative_fma(five, d[2], d[4]));
  const Reg a = Simd::negative_fma(four, d[2], d[4]), b = Simd::negative_fma(four, d[1], d[3]);
  t[1] = Simd::add(a, b);
  t[2] = Simd::subtract(a, b);
  const Reg c = Simd::subtract(d[4], d[2]), e = Simd::subtract(d[3], d[1]);
  t[3] = Simd::fma(two, e, c);
  t[4] = Simd::negative_fma(two, e, c);
  t[5] = Simd::fma(four, d[1], Simd::negative_fma(five, d[3], d[5]));
}

// Eight values: points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
template <class Simd>
inline void input_transform(const typename Simd::Reg (&d)[8], typename Simd::Reg (&t)[8]) {
  using Reg = typename Simd::Reg;
  const Reg outer = Simd::set(21.0f / 4), middle = Simd::set(17.0f / 4);
  const Reg five = Simd::set(5), four = Simd::set(4), two = Simd::set(2), half = Simd::set(0.5f);
  const Reg five_quarters = Simd::set(5.0f / 4), five_halves = Simd::set(5.0f / 2);
  const Reg quarter = Simd::set(0.25f);
  t[0] = Simd::fma(outer, Simd::subtract(d[4], d[2]), Simd::subtract(d[0], d[6]));
  t[7] = Simd::fma(outer, Simd::subtract(d[3], d[5]), Simd::subtract(d[7], d[1]));
  const auto both = [&t](int at, Reg even, Reg odd) {
    t[at] = Simd::add(even, odd);
    t[at + 1] = Simd::subtract(even, odd);
  };
  both(1, Simd::negative_fma(middle, d[4], Simd::add(d[2], d[6])),
       Simd::negative_fma(middle, d[3], Simd::add(d[1], d[5])));
  both(3, Simd::fma(quarter, d[2], Simd::negative_fma(five_quarters, d[4], d[6])),
       Simd::fma(half, d[1], Simd::negative_fma(five_halves, d[3], Simd::multiply(two, d[5]))));
  both(5, Simd::fma(four, d[2], Simd::negative_fma(five, d[4], d[6])),
       Simd::fma(two, d[1], Simd::negative_fma(five_halves, d[3], Simd::multiply(half, d[5]))));
}

// G g: three weights to six.
template <class Simd>
inline void weight_transform(const typename Simd::Reg (&g)[3], typename Simd::Reg (&t)[6]) {
  using Reg = typename Simd::Reg;
  const Reg quarter = Simd::set(1.0f / 4), sixth = Simd::set(-1.0f / 6);
  const Reg twelfth = Simd::set(1.0f / 12), half_twelfth = Simd::set(1.0f / 24);
  t[0] = Simd::multiply(quarter, g[0]);
  const Reg outer = Simd::multiply(sixth, Simd::add(g[0], g[2]));
  t[1] = Simd::fma(sixth, g[1], outer);
  t[2] = Simd::negative_fma(sixth, g[1], outer);
  const Reg even = Simd::negative_fma(sixth, g[2], Simd::multiply(half_twelfth, g[0]));
  t[3] = Simd::fma(twelfth, g[1], even);
  t[4] = Simd::negative_fma(twelfth, g[1], even);
  t[5] = g[2];
}

// Five weights to eight.
template <class Simd>
inline void weight_transform(const typename Simd::Reg (&g)[5], typename Simd::Reg (&t)[8]) {
  using Reg = typename Simd::Reg;
  // The polynomial of the weights at p and -p, times `scale`.
  const auto both = [&](int at, float p, float scale) {
    const Reg square = Simd::set(p * p), slope = Simd::set(scale * p);
    const Reg even = Simd::fma(square, Simd::fma(square, g[4], g[2]), g[0]);
    const Reg odd = Simd::fma(square, g[3], g[1]), level = Simd::multiply(Simd::set(scale), even);
    t[at] = Simd::fma(slope, odd, level);
    t[at + 1] = Simd::negative_fma(slope, odd, level);
  };
  t[0] = g[0];
  both(1, 1, -2.0f / 9);
  both(3, 2, 1.0f / 90);
  both(5, 0.5f, 32.0f / 45);
  t[7] = g[4];
}

// A^T m: six products to four outputs.
template <class Simd>
inline void output_transform(const typename Simd::Reg (&m)[6], typename Simd::Reg (&s)[4]) {
  using Reg = typename Simd::Reg;
  const Reg a = Simd::add(m[1], m[2]), b = Simd::subtract(m[1], m[2]);
  const Reg c = Simd::add(m[3], m[4]), d = Simd::subtract(m[3], m[4]);
  s[0] = Simd::add(m[0], Simd::add(a, c));
  s[1] = Simd::fma(Simd::set(2), d, b);
  s[2] = Simd::fma(Simd::set(4), c, a);
  s[3] = Simd::add(Simd::fma(Simd::set(8), d, b), m[5]);
}

// Eight.
template <class Simd>
inline void output_transform(const typename Simd::Reg (&m)[8], typename Simd::Reg (&s)[4]) {
  using Reg = typename Simd::Reg;
  const Reg a = Simd::add(m[1], m[2]), b = Simd::subtract(m[1], m[2]);
  const Reg c = Simd::add(m[3], m[4]), d = Simd::subtract(m[3], m[4]);
  const Reg e = Simd::add(m[5], m[6]), f = Simd::subtract(m[5], m[6]);
  s[0] = Simd::add(Simd::add(m[0], a), Simd::add(c, e));
  s[1] = Simd::fma(Simd::set(0.5f), f, Simd::fma(Simd::set(2), d, b));
  s[2] = Simd::fma(Simd::set(0.25f), e, Simd::fma(Simd::set(4), c, a));
  s[3] = Simd::add(Simd::fma(Simd::set(0.125f), f, Simd::fma(Simd::set(8), d, b)), m[7]);
}

// Reads lanes [column, column + lanes) of a row of `width`, zero outside it.
template <class Simd>
inline typename Simd::Reg load_row(const float* row, int64_t column, int64_t width) {
  if (column >= 0 && column + Simd::lanes <= width) return Simd::load(row + column);
  const int64_t low = std::clamp<int64_t>(-column, 0, Simd::lanes);
  const int64_t high = std::clamp<int64_t>(width - column, low, Simd::lanes);
  return Simd::load_some(row + column, low, high);
}

// Column j of a tile's rows, transformed, to v.
template <class Simd, int size, class Store>
inline void transform_columns(const typename Simd::Reg (&rows)[size][size], const Store& store) {
  using Reg = typename Simd::Reg;
  for (int j = 0; j < size; ++j) {
    Reg d[size], t[size];
    for (int i = 0; i < size; ++i) d[i] = rows[i][j];
    input_transform<Simd>(d, t);
    for (int i = 0; i < size; ++i) store(i * size + j, t[i]);
  }
}

template <class Simd, int kernel>
void transform_input(const float* x, int64_t height, int64_t width, const TileRun& run, float* v,
                     int64_t step) {
  using Reg = typename Simd::Reg;
  constexpr int64_t lanes = Simd::lanes;
  constexpr int size = tile_size(kernel);
  for (int64_t tile = 0; tile < run.tiles; tile += lanes) {
    const int64_t column = run.column + 4 * tile;
    Reg rows[size][size];
    for (int i = 0; i < size; ++i) {
      const int64_t h = run.row + i;
      if (h < 0 || h >= height) {
        for (Reg& value : rows[i]) value = Simd::set(0);
        continue;
      }
      const float* row = x + h * width;
      Reg pixels[4], first[4], d[size];
      for (int j = 0; j < 4; ++j) pixels[j] = load_row<Simd>(row, column + j * lanes, width);
      Simd::deinterleave(pixels, first);
      for (int j = 0; j < 4; ++j) d[j] = first[j];
      for (int j = 4; j < size; ++j) {
        const int64_t next = column + 4 * lanes + j - 4;
        d[j] = Simd::shift_in(first[j - 4], next < width ? row[next] : 0);
      }
      input_transform<Simd>(d, rows[i]);
    }
    // Lanes beyond the run hold neighbours' values; the next run or nobody reads there.
    const int64_t at = run.offset + tile;
    const int64_t stored = std::min(lanes, block_tiles - at);
    transform_columns<Simd, size>(rows, [&](int frequency, Reg value) {
      float* out = v + frequency * step + at;
      if (stored == lanes) {
        Simd::store(out, value);
      } else {
        Simd::store_some(out, value, 0, stored);
      }
    });
  }
}

template <class Simd, int kernel>
void transform_weights(const float* w, int64_t outputs, int64_t output_stride, int64_t inputs,
                       int64_t input_stride, bool rotated, float* u) {
  using Reg = typename Simd::Reg;
  constexpr int size = tile_size(kernel), count = kernel * kernel;
  static_assert(count % 8 == 1);
  const int64_t step = weight_step(inputs);
  for (int64_t c = 0; c < inputs; ++c) {
    for (int64_t o = 0; o < block_outputs; o += Simd::lanes) {
      Reg weights[count];
      const int64_t lanes = std::clamp<int64_t>(outputs - o, 0, Simd::lanes);
      const float* from = w + o * output_stride + c * input_stride;
      for (int i = 0; i + 8 < count; i += 8) {
        Simd::load_eight(from + i, output_stride, lanes, weights + i);
      }
      weights[count - 1] = Simd::load_column(from + count - 1, output_stride, lanes);
      Reg half[size][kernel];
      for (int j = 0; j < kernel; ++j) {
        Reg g[kernel], t[size];
        for (int i = 0; i < kernel; ++i) {
          const int at = kernel * i + j;
          g[i] = weights[rotated ? count - 1 - at : at];
        }
        weight_transform<Simd>(g, t);
        for (int i = 0; i < size; ++i) half[i][j] = t[i];
      }
      for (int i = 0; i < size; ++i) {
        Reg t[size];
        weight_transform<Simd>(half[i], t);
        for (int j = 0; j < size; ++j) {
          Simd::store(u + (i * size + j) * step + c * block_outputs + o, t[j]);
        }
      }
    }
  }
}

// rows x (vectors * lanes) products, summed over `inputs` channels onto what is there (or zero).
template <class Simd, int vectors>
inline void multiply_block(const float* u, const float* v, int64_t inputs, bool first, float* m) {
  using Reg = typename Simd::Reg;
  constexpr int rows = Simd::rows;
  Reg sums[rows][vectors];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) {
      sums[i][j] = first ? Simd::set(0) : Simd::load(m + i * block_tiles + j * Simd::lanes);
    }
  }
  for (int64_t c = 0; c < inputs; ++c) {
    Reg tiles[vectors];
    for (int j = 0; j < vectors; ++j) tiles[j] = Simd::load(v + c * block_tiles + j * Simd::lanes);
    for (int i = 0; i < rows; ++i) {
      const Reg weight = Simd::set(u[c * block_outputs + i]);
      for (int j = 0; j < vectors; ++j) sums[i][j] = Simd::fma(weight, tiles[j], sums[i][j]);
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < vectors; ++j) {
      Simd::store(m + i * block_tiles + j * Simd::lanes, sums[i][j]);
    }
  }
}

template <class Simd, int kernel>
void multiply(const float* u, const float* v, int64_t inputs, int64_t outputs, int64_t tiles,
              float* m) {
  // Each turn loads and stores all sums: few turns are worth more than a v that stays in the first
  // cache.
  constexpr int64_t channels = 512;
  constexpr int64_t pair = 2 * Simd::lanes;
  for (int64_t f = 0; f < frequencies(kernel); ++f) {
    for (int64_t c = 0; c < inputs; c += channels) {
      const int64_t count = std::min(channels, inputs - c);
      const float* weights = u + f * weight_step(inputs) + c * block_outputs;
      const float* values = v + f * input_step(inputs) + c * block_tiles;
      float* products = m + f * product_step;
      for (int64_t t = 0; t < tiles; t += pair) {
        for (int64_t o = 0; o < outputs; o += Simd::rows) {
          float* out = products + o * block_tiles + t;
          if (t + Simd::lanes < tiles) {
            multiply_block<Simd, 2>(weights + o, values + t, count, c == 0, out);
          } else {
            multiply_block<Simd, 1>(weights + o, values + t, count, c == 0, out);
          }
        }
      }
    }
  }
}

// The four rows of a vector of tiles, whose products stand at m, still in frequencies along a row.
template <class Simd, int size>
inline void output_rows(const float* m, typename Simd::Reg (&rows)[4][size]) {
  for (int j = 0; j < size; ++j) {
    typename Simd::Reg column[size], s[4];
    for (int i = 0; i < size; ++i) column[i] = Simd::load(m + (i * size + j) * product_step);
    output_transform<Simd>(column, s);
    for (int i = 0; i < 4; ++i) rows[i][j] = s[i];
  }
}

// The pixels of one of them, tile after tile.
template <class Simd, int size>
inline void output_pixels(const typename Simd::Reg (&row)[size], typename Simd::Reg bias, bool relu,
                          typename Simd::Reg (&pixels)[4]) {
  typename Simd::Reg s[4];
  output_transform<Simd>(row, s);
  for (auto& value : s) {
    value = Simd::add(value, bias);
    if (relu) value = Simd::maximum(value, Simd::set(0));
  }
  Simd::interleave(s, pixels);
}

template <class Simd, int kernel>
void transform_output(const float* m, const TileRun& run, float bias, bool relu, float* y,
                      int64_t height, int64_t width) {
  using Reg = typename Simd::Reg;
  constexpr int64_t lanes = Simd::lanes;
  const Reg shift = Simd::set(bias);
  for (int64_t tile = 0; tile < run.tiles; tile += lanes) {
    Reg rows[4][tile_size(kernel)];
    output_rows<Simd>(m + run.offset + tile, rows);
    const int64_t column = run.column + 4 * tile;
    const int64_t valid = std::min(4 * std::min(lanes, run.tiles - tile), width - column);
    for (int i = 0; i < 4 && run.row + i < height; ++i) {
      Reg pixels[4];
      output_pixels<Simd>(rows[i], shift, relu, pixels);
      float* out = y + (run.row + i) * width + column;
      for (int j = 0; j < 4; ++j) {
        const int64_t left = valid - j * lanes;
        if (left >= lanes) {
          Simd::store(out + j * lanes, pixels[j]);
        } else if (left > 0) {
          Simd::store_some(out + j * lanes, pixels[j], 0, left);
        }
      }
    }
  }
}

template <class Simd, int kernel>
constexpr Kernels make_kernels() {
  return {.transform_input = transform_input<Simd, kernel>,
          .transform_weights = transform_weights<Simd, kernel>,
          .multiply = multiply<Simd, kernel>,
          .transform_output = transform_output<Simd, kernel>,
          .transform_packed_input = nullptr,
          .transform_packed_output = nullptr};
}

}  // namespace
}  // namespace gestalt::cpu::winograd
