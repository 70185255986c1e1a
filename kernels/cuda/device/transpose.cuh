#pragma once

// Copies between arrays that lie along different dimensions, such as contiguous and channels-last
// images: tiles of 32x32 pass through shared memory, so that both sides move whole lines.
//
// Floor: every element is read and written once, no arithmetic beyond addresses.

#include <cstdint>

#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int transpose_tile = 32;
inline constexpr int transpose_rows = 8;  // threads along y of a block
inline constexpr int transpose_shared = transpose_tile * (transpose_tile + 1);  // no bank conflicts

// x is dense along rows, y along columns.
struct TransposeShape {
  int64_t rows, columns;
  int64_t x_column_stride, y_row_stride;
  int64_t row_tiles, column_tiles;  // blockIdx.x counts them, and the matrices
};

template <class T>
__global__ void transpose_kernel(TransposeShape shape, StridedIndex<2> matrices, const T* x, T* y) {
  SharedMemory shared;
  const SharedArray<T> tile = shared.array<T>(transpose_shared);
  const int64_t column_tile = blockIdx.x % shape.column_tiles;
  const int64_t rest = blockIdx.x / shape.column_tiles;
  const int64_t first_row = rest % shape.row_tiles * transpose_tile;
  const int64_t first_column = column_tile * transpose_tile;
  int64_t base[2];  // of y, of x
  matrices.offsets(rest / shape.row_tiles, base);

  const int along = static_cast<int>(threadIdx.x);
  for (int i = static_cast<int>(threadIdx.y); i < transpose_tile; i += transpose_rows) {
    const int64_t row = first_row + along, column = first_column + i;
    if (row < shape.rows && column < shape.columns) {
      tile[i * (transpose_tile + 1) + along] = x[base[1] + row + column * shape.x_column_stride];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.y); i < transpose_tile; i += transpose_rows) {
    const int64_t row = first_row + i, column = first_column + along;
    if (row < shape.rows && column < shape.columns) {
      y[base[0] + row * shape.y_row_stride + column] = tile[along * (transpose_tile + 1) + i];
    }
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
