#pragma once

// Spectral normalization of a weight [rows, columns], as it lies in memory.
//
// A step of power iteration is three launches: partial sums of W^T u over runs of rows, their fold,
// and W v. Lengths are never waited for: who needs one adds up what the launch before left of it,
// each block for itself, in the same order.
//
// Floor: the weight is read twice a step and once more for the division; a multiplication and an
// addition an element and pass.

#include <cstdint>

#include "kernels/cuda/device/block.cuh"
#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/warp.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int spectral_threads = 256;
inline constexpr int spectral_warps = spectral_threads / warp_lanes;
// Rows that a thread of spectral_columns adds up: all of their loads are under way at once.
inline constexpr int spectral_run = 16;

// Where the elements of a row lie: `channels` neighbours of the logical order's stride
// columns / channels; 1: in their logical order.
struct SpectralColumns {
  int64_t count, channels;

  __device__ int64_t logical(int64_t column) const {
    return column % channels * (count / channels) + column / channels;
  }
};

// partial[run, column] = sum over the run's rows of w * u; blockIdx.y counts the runs.
template <class T>
__global__ void spectral_columns(int64_t rows, int64_t columns, const T* w, const float* u,
                                 float* partial) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * spectral_threads + threadIdx.x;
  if (column >= columns) return;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * spectral_run;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < spectral_run; ++i) {
    const int64_t row = first + i;
    if (row < rows) sum += load(w[row * columns + column]) * u[row];
  }
  partial[blockIdx.y * columns + column] = sum;
}

// right = the sum of the runs, not yet of length 1; squares[block]: its part of the squared length.
template <int threads>
__global__ void spectral_right(int64_t columns, int runs, const float* partial, float* right,
                               float* squares) {
  SharedMemory shared;
  const SharedArray<float> warps = shared.array<float>(threads / warp_lanes);
  const int64_t column = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  float sum = 0;
  if (column < columns) {
    for (int run = 0; run < runs; ++run) sum += partial[run * columns + column];
    right[column] = sum;
  }
  const float square = block_sum<threads>(warps, sum * sum);
  if (threadIdx.x == 0) squares[blockIdx.x] = square;
}

// right = v, in the order of memory
template <int threads>
__global__ void spectral_gather(SpectralColumns columns, const float* v, float* right) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (column < columns.count) right[column] = v[columns.logical(column)];
}

// 1 / the length whose squared parts these are, in every lane; 1 where there are none.
__device__ inline float inverse_length(const float* squares, int count, float epsilon) {
  if (count == 0) return 1;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x % warp_lanes); i < count; i += warp_lanes) {
    sum += squares[i];
  }
  return 1 / fmaxf(sqrtf(warp_sum(sum)), epsilon);
}

// image[row] = the row's product with right, scaled to length 1. A block a row.
template <class T>
__global__ void spectral_rows(int64_t columns, const T* w, const float* right, const float* squares,
                              int parts, float epsilon, float* image) {
  SharedMemory shared;
  const SharedArray<float> warps = shared.array<float>(spectral_warps);
  const T* row = w + blockIdx.x * columns;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < columns; i += spectral_threads) sum += load(row[i]) * right[i];
  sum = block_sum<spectral_threads>(warps, sum) * inverse_length(squares, parts, epsilon);
  if (threadIdx.x == 0) image[blockIdx.x] = sum;
}

// What spectral_divide reads and writes besides the weight; all f32.
struct SpectralVectors {
  const float* image;    // [rows] of W right, right of length 1
  const float* raw;      // [columns], right before it is scaled
  const float* squares;  // [parts] of its squared length
  int parts;             // 0: u and v are used as they are
  float* u;
  float* v;
  float* left;
  float* right;
  float* sigma;
};

// y = w / sigma. A block a row; the blocks share out the vectors.
template <class T, class Y>
__global__ void spectral_divide(int64_t rows, SpectralColumns columns, float epsilon,
                                SpectralVectors vectors, const T* w, Y* y) {
  SharedMemory shared;
  const SharedArray<float> warps = shared.array<float>(spectral_warps);
  const bool moved = vectors.parts > 0;
  float sum = 0;
  for (int64_t row = threadIdx.x; row < rows; row += spectral_threads) {
    const float value = vectors.image[row];
    sum += value * (moved ? value : vectors.u[row]);
  }
  sum = block_sum<spectral_threads>(warps, sum);
  const float length = fmaxf(sqrtf(sum), epsilon);  // of the image, if moved
  const float sigma = moved ? sum / length : sum;

  const int64_t first = static_cast<int64_t>(blockIdx.x) * spectral_threads + threadIdx.x;
  const int64_t step = static_cast<int64_t>(gridDim.x) * spectral_threads;
  const float scale = inverse_length(vectors.squares, vectors.parts, epsilon);
  for (int64_t column = first; column < columns.count; column += step) {
    const float value = vectors.raw[column] * scale;
    vectors.right[column] = value;
    if (moved) vectors.v[columns.logical(column)] = value;
  }
  // u moves only where no other block reads it.
  for (int64_t row = first; row < rows; row += step) {
    const float value = moved ? vectors.image[row] / length : vectors.u[row];
    vectors.left[row] = value;
    if (moved) vectors.u[row] = value;
  }
  if (first == 0) *vectors.sigma = sigma;

  const int64_t origin = blockIdx.x * columns.count;
  for (int64_t i = threadIdx.x; i < columns.count; i += spectral_threads) {
    y[origin + i] = store<Y>(load(w[origin + i]) / sigma);
  }
}

// partial[block] = the block's part of <dy, y>.
template <class Y>
__global__ void spectral_along(int64_t numel, int64_t part, const Y* dy, const Y* y,
                               float* partial) {
  SharedMemory shared;
  const SharedArray<float> warps = shared.array<float>(spectral_warps);
  const int64_t begin = blockIdx.x * part, end = ::min(numel, begin + part);
  float sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += spectral_threads) {
    sum += load(dy[i]) * load(y[i]);
  }
  sum = block_sum<spectral_threads>(warps, sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// dw = (dy - <dy, y> left right^T) / sigma. A block a row.
template <class T, class Y>
__global__ void spectral_gradient(int64_t columns, const float* partial, int parts, const Y* dy,
                                  const float* left, const float* right, const float* sigma,
                                  T* dw) {
  SharedMemory shared;
  const SharedArray<float> warps = shared.array<float>(spectral_warps);
  float along = 0;
  for (int i = static_cast<int>(threadIdx.x); i < parts; i += spectral_threads) along += partial[i];
  const float factor = block_sum<spectral_threads>(warps, along) * left[blockIdx.x];
  const int64_t origin = blockIdx.x * columns;
  for (int64_t i = threadIdx.x; i < columns; i += spectral_threads) {
    dw[origin + i] = store<T>((load(dy[origin + i]) - factor * right[i]) / *sigma);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
