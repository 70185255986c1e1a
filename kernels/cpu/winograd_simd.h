#pragma once

// The code behind Kernels, over a vector type Simd; see winograd_kernels.h for why it is included
// only where its width is chosen. Simd has: Reg, lanes, rows (of the product's register block),
// load, load_some and store_some (lanes [low, high), others zero or untouched), load_nine, store,
// set, add, subtract, multiply, fma (a * b + c), negative_fma (c - a * b), maximum, deinterleave,
// interleave, shift_in.

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

// Reads lanes [column, column + lanes) of a row of `width`, zero outside it.
template <class Simd>
inline typename Simd::Reg load_row(const float* row, int64_t column, int64_t width) {
  if (column >= 0 && column + Simd::lanes <= width) return Simd::load(row + column);
  const int64_t low = std::clamp<int64_t>(-column, 0, Simd::lanes);
  const int64_t high = std::clamp<int64_t>(width - column, low, Simd::lanes);
  return Simd::load_some(row + column, low, high);
}

template <class Simd>
void transform_input(const float* x, int64_t height, int64_t width, const TileRun& run, float* v,
                     int64_t step) {
  using Reg = typename Simd::Reg;
  constexpr int64_t lanes = Simd::lanes;
  for (int64_t tile = 0; tile < run.tiles; tile += lanes) {
    const int64_t column = run.column + 4 * tile;
    Reg rows[6][6];
    for (int i = 0; i < 6; ++i) {
      const int64_t h = run.row + i;
      if (h < 0 || h >= height) {
        for (Reg& value : rows[i]) value = Simd::set(0);
        continue;
      }
      const float* row = x + h * width;
      Reg pixels[4], d[6];
      for (int j = 0; j < 4; ++j) pixels[j] = load_row<Simd>(row, column + j * lanes, width);
      Simd::deinterleave(pixels, d);
      const int64_t next = column + 4 * lanes;
      d[4] = Simd::shift_in(d[0], next < width ? row[next] : 0);
      d[5] = Simd::shift_in(d[1], next + 1 < width ? row[next + 1] : 0);
      input_transform<Simd>(d, rows[i]);
    }
    // Lanes beyond the run hold neighbours' values; the next run or nobody reads there.
    const int64_t at = run.offset + tile;
    const int64_t stored = std::min(lanes, block_tiles - at);
    for (int j = 0; j < 6; ++j) {
      const Reg d[6] = {rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]};
      Reg t[6];
      input_transform<Simd>(d, t);
      for (int i = 0; i < 6; ++i) {
        float* out = v + (i * 6 + j) * step + at;
        if (stored == lanes) {
          Simd::store(out, t[i]);
        } else {
          Simd::store_some(out, t[i], 0, stored);
        }
      }
    }
  }
}

template <class Simd>
void transform_weights(const float* w, int64_t outputs, int64_t output_stride, int64_t inputs,
                       int64_t input_stride, bool rotated, float* u) {
  using Reg = typename Simd::Reg;
  const int64_t step = weight_step(inputs);
  for (int64_t c = 0; c < inputs; ++c) {
    for (int64_t o = 0; o < block_outputs; o += Simd::lanes) {
      Reg weights[9];
      const int64_t count = std::clamp<int64_t>(outputs - o, 0, Simd::lanes);
      Simd::load_nine(w + o * output_stride + c * input_stride, output_stride, count, weights);
      Reg half[6][3];
      for (int j = 0; j < 3; ++j) {
        Reg g[3], t[6];
        for (int i = 0; i < 3; ++i) g[i] = weights[rotated ? 8 - 3 * i - j : 3 * i + j];
        weight_transform<Simd>(g, t);
        for (int i = 0; i < 6; ++i) half[i][j] = t[i];
      }
      for (int i = 0; i < 6; ++i) {
        Reg t[6];
        weight_transform<Simd>(half[i], t);
        for (int j = 0; j < 6; ++j) {
          Simd::store(u + (i * 6 + j) * step + c * block_outputs + o, t[j]);
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

template <class Simd>
void multiply(const float* u, const float* v, int64_t inputs, int64_t outputs, int64_t tiles,
              float* m) {
  // Each turn loads and stores all sums: few turns are worth more than a v that stays in the first
  // cache.
  constexpr int64_t channels = 512;
  constexpr int64_t pair = 2 * Simd::lanes;
  for (int64_t f = 0; f < frequencies; ++f) {
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
template <class Simd>
inline void output_rows(const float* m, typename Simd::Reg (&rows)[4][6]) {
  for (int j = 0; j < 6; ++j) {
    typename Simd::Reg column[6], s[4];
    for (int i = 0; i < 6; ++i) column[i] = Simd::load(m + (i * 6 + j) * product_step);
    output_transform<Simd>(column, s);
    for (int i = 0; i < 4; ++i) rows[i][j] = s[i];
  }
}

// The pixels of one of them, tile after tile.
template <class Simd>
inline void output_pixels(const typename Simd::Reg (&row)[6], typename Simd::Reg bias, bool relu,
                          typename Simd::Reg (&pixels)[4]) {
  typename Simd::Reg s[4];
  output_transform<Simd>(row, s);
  for (auto& value : s) {
    value = Simd::add(value, bias);
    if (relu) value = Simd::maximum(value, Simd::set(0));
  }
  Simd::interleave(s, pixels);
}

template <class Simd>
void transform_output(const float* m, const TileRun& run, float bias, bool relu, float* y,
                      int64_t height, int64_t width) {
  using Reg = typename Simd::Reg;
  constexpr int64_t lanes = Simd::lanes;
  const Reg shift = Simd::set(bias);
  for (int64_t tile = 0; tile < run.tiles; tile += lanes) {
    Reg rows[4][6];
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

template <class Simd>
constexpr Kernels make_kernels() {
  return {.transform_input = transform_input<Simd>,
          .transform_weights = transform_weights<Simd>,
          .multiply = multiply<Simd>,
          .transform_output = transform_output<Simd>,
          .transform_packed_input = nullptr,
          .transform_packed_output = nullptr};
}

}  // namespace
}  // namespace gestalt::cpu::winograd
