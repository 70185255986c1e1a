#pragma once

// The inner loops of winograd.cpp, for one vector width. Each lane of a vector is one tile.
//
// Included by winograd_avx2.cpp and winograd_avx512.cpp alone: everything that depends on the
// width stands in an unnamed namespace, so that the linker can't mix the two builds.

#include <cstdint>

namespace gestalt::cpu::winograd {

constexpr int64_t block_tiles = 64;    // tiles that are multiplied together
constexpr int64_t block_outputs = 16;  // output channels that are multiplied together
constexpr int64_t pack_tiles = 16;     // of a TilePack, a vector's lanes
// Between frequencies, a line of padding keeps their streams out of each other's cache sets.
constexpr int64_t padding = 16;

// Pixels of an input tile along an axis, of which 4 outputs come; elements of one, transformed.
constexpr int64_t tile_size(int64_t kernel) {
  return kernel + 3;
}
constexpr int64_t frequencies(int64_t kernel) {
  return tile_size(kernel) * tile_size(kernel);
}

// Floats from one frequency to the next in transformed inputs [frequencies][inputs][block_tiles],
// weights [frequencies][inputs][block_outputs] and products
// [frequencies][block_outputs][block_tiles].
constexpr int64_t input_step(int64_t inputs) {
  return inputs * block_tiles + padding;
}
constexpr int64_t weight_step(int64_t inputs) {
  return inputs * block_outputs + padding;
}
constexpr int64_t product_step = block_outputs * block_tiles + padding;

// A run of tiles beside each other in one row of one image.
struct TileRun {
  int64_t row, column;  // of the first tile's first element: may be negative in the input
  int64_t tiles;
  int64_t offset;  // of the first tile in its block
};

// Whole rows of tiles, one after the other, that fill a vector where one alone would not.
struct TilePack {
  int64_t columns;             // tiles in a row: 2, 4 or 8
  int64_t rows = 0;            // how many there are
  int64_t plane[8], first[8];  // of each: its channel's offset, and its first pixel's row
};

struct Kernels {
  // Transforms the tiles of `run` of one channel [height, width] into v[f * step + offset + i].
  void (*transform_input)(const float* x, int64_t height, int64_t width, const TileRun& run,
                          float* v, int64_t step);
  // Transforms the weights of up to block_outputs outputs, the rest becomes zero.
  void (*transform_weights)(const float* w, int64_t outputs, int64_t output_stride, int64_t inputs,
                            int64_t input_stride, bool rotated, float* u);
  // m[f][o][t] = sum over c of u[f][c][o] * v[f][c][t], for t < tiles (rounded up to vectors).
  void (*multiply)(const float* u, const float* v, int64_t inputs, int64_t outputs, int64_t tiles,
                   float* m);
  // Transforms products m[f * step + offset + i] into one channel [height, width] of the output.
  void (*transform_output)(const float* m, const TileRun& run, float bias, bool relu, float* y,
                           int64_t height, int64_t width);
  // The same transforms of a vector of tiles from several rows, v[f * step + i] and
  // m[f * step + i]. Pixels of a row begin at `column` of the input. Null: not for this width.
  void (*transform_packed_input)(const float* x, int64_t height, int64_t width,
                                 const TilePack& pack, int64_t column, float* v, int64_t step);
  void (*transform_packed_output)(const float* m, const TilePack& pack, float bias, bool relu,
                                  float* y, int64_t height, int64_t width);
};

// For weights of kernel x kernel: 3 or 5.
const Kernels& avx2_kernels(int64_t kernel);
const Kernels& avx512_kernels(int64_t kernel);

}  // namespace gestalt::cpu::winograd
