#pragma once

// The transforms of winograd_simd.h for narrow images, whose rows of 2, 4 or 8 tiles share a vector
// of 16. Each lane computes what it would alone, so no bit depends on who its neighbours are.
// Besides what is said there, Simd has load_into (lanes [low, high) of a vector).

#include "kernels/cpu/winograd_simd.h"

namespace gestalt::cpu::winograd {
namespace {

// Pixels [column, column + 4 * columns) of row i of every row of tiles, one after the other, zero
// outside the image.
template <class Simd, int64_t columns>
inline void load_packed(const float* x, const TilePack& pack, int i, int64_t column, int64_t height,
                        int64_t width, typename Simd::Reg (&pixels)[4]) {
  constexpr int64_t lanes = Simd::lanes, row_pixels = 4 * columns;
  constexpr int64_t most = std::min(row_pixels, lanes);
  for (auto& p : pixels) p = Simd::set(0);
    // Unrolled, so that `pixels` stays in registers.
#pragma GCC unroll 8
  for (int64_t r = 0; r < lanes / columns; ++r) {
    if (r >= pack.rows) break;
    const int64_t h = pack.first[r] + i;
    if (h < 0 || h >= height) continue;
    const float* row = x + pack.plane[r] + h * width;
#pragma GCC unroll 2
    for (int64_t part = 0; part < row_pixels; part += lanes) {
      const int64_t at = (r * row_pixels + part) % lanes, from = column + part;
      const int64_t low = std::clamp<int64_t>(-from, 0, most);
      const int64_t high = std::clamp<int64_t>(width - from, low, most);
      auto& into = pixels[(r * row_pixels + part) / lanes];
      into = Simd::load_into(into, row + from - at, at + low, at + high);
    }
  }
}

template <class Simd, int kernel, int64_t columns>
void transform_packed_input_of(const float* x, int64_t height, int64_t width, const TilePack& pack,
                               int64_t column, float* v, int64_t step) {
  using Reg = typename Simd::Reg;
  constexpr int size = tile_size(kernel);
  Reg rows[size][size];
  for (int i = 0; i < size; ++i) {
    Reg pixels[4], first[4], next[4], d[size];
    load_packed<Simd, columns>(x, pack, i, column, height, width, pixels);
    Simd::deinterleave(pixels, first);
    load_packed<Simd, columns>(x, pack, i, column + 4, height, width, pixels);
    Simd::deinterleave(pixels, next);
    for (int j = 0; j < size; ++j) d[j] = j < 4 ? first[j] : next[j - 4];
    input_transform<Simd>(d, rows[i]);
  }
  transform_columns<Simd, size>(
      rows, [&](int frequency, Reg value) { Simd::store(v + frequency * step, value); });
}

template <class Simd, int kernel>
void transform_packed_input(const float* x, int64_t height, int64_t width, const TilePack& pack,
                            int64_t column, float* v, int64_t step) {
  static_assert(Simd::lanes == pack_tiles);
  const auto transform = pack.columns == 2   ? transform_packed_input_of<Simd, kernel, 2>
                         : pack.columns == 4 ? transform_packed_input_of<Simd, kernel, 4>
                                             : transform_packed_input_of<Simd, kernel, 8>;
  transform(x, height, width, pack, column, v, step);
}

template <class Simd, int kernel>
void transform_packed_output(const float* m, const TilePack& pack, float bias, bool relu, float* y,
                             int64_t height, int64_t width) {
  using Reg = typename Simd::Reg;
  constexpr int64_t lanes = Simd::lanes;
  const Reg shift = Simd::set(bias);
  const int64_t row_pixels = 4 * pack.columns, most = std::min(row_pixels, lanes);
  Reg rows[4][tile_size(kernel)];
  output_rows<Simd>(m, rows);
  for (int i = 0; i < 4; ++i) {
    Reg pixels[4];
    output_pixels<Simd>(rows[i], shift, relu, pixels);
    for (int64_t r = 0; r < pack.rows; ++r) {
      if (pack.first[r] + i >= height) continue;
      float* out = y + pack.plane[r] + (pack.first[r] + i) * width;
      for (int64_t part = 0; part < row_pixels; part += lanes) {
        const int64_t lane = r * row_pixels + part, at = lane % lanes;
        const int64_t count = std::clamp<int64_t>(width - part, 0, most);
        Simd::store_some(out + part - at, pixels[lane / lanes], at, at + count);
      }
    }
  }
}

}  // namespace
}  // namespace gestalt::cpu::winograd
