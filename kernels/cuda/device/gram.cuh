#pragma once

// Gram matrices and their gradient: tiles of 32 x 32 outputs, 256 threads with four outputs each.
//
// Floor, forward: R (R + 1) L multiply-adds (f32 FMA); a tile reads 64 L elements. Backward:
// 2 R^2 L.

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int gram_tile = 32;
inline constexpr int gram_pitch = gram_tile + 1;  // rows fall on different banks
inline constexpr int gram_threads = 256;
inline constexpr int gram_rows = gram_threads / gram_tile;  // rows apart of a thread's outputs
inline constexpr int gram_outputs = gram_tile / gram_rows;
inline constexpr int gram_chunk = 1024;  // elements of L summed in f32; chunks are summed in f64

__host__ __device__ constexpr size_t gram_shared_bytes() {
  return 2 * shared_size<float>(gram_tile * gram_pitch);
}

// The tile (i, j), i <= j, among those on and above the diagonal, counted column by column.
struct GramTile {
  int i, j;
  __device__ explicit GramTile(int index) : i(index), j(0) {
    while (i > j) i -= ++j;
  }
};

// sum[r] += the products of this thread's row tile[a] and column tile[b] over one step of 32.
__device__ inline void gram_multiply(const SharedArray<float>& left,
                                     const SharedArray<float>& right, float (&sum)[gram_outputs]) {
  const int column = static_cast<int>(threadIdx.x) % gram_tile;
  const int row = static_cast<int>(threadIdx.x) / gram_tile;
  for (int k = 0; k < gram_tile; ++k) {
    const float b = right[column * gram_pitch + k];
#pragma unroll
    for (int r = 0; r < gram_outputs; ++r) {
      const float a = left[(row + r * gram_rows) * gram_pitch + k];
      sum[r] = __fmaf_rn(a, b, sum[r]);
    }
  }
}

// partial[b, tile, chunk, 32, 32] = x[b, rows of i] x[b, rows of j]^T over a chunk of L.
// Grid: tiles, chunks, batch.
template <class T>
__global__ void __launch_bounds__(gram_threads)
    gram_partial(const T* x, int rows, int64_t length, float* partial) {
  const int column = static_cast<int>(threadIdx.x) % gram_tile;
  const int row = static_cast<int>(threadIdx.x) / gram_tile;
  const GramTile tile(static_cast<int>(blockIdx.x));
  const T* from = x + static_cast<int64_t>(blockIdx.z) * rows * length;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * gram_chunk;
  const int64_t end = begin + gram_chunk < length ? begin + gram_chunk : length;
  SharedMemory shared;
  const SharedArray<float> left = shared.array<float>(gram_tile * gram_pitch);
  const SharedArray<float> right = shared.array<float>(gram_tile * gram_pitch);
  float sum[gram_outputs] = {};
  for (int64_t l = begin; l < end; l += gram_tile) {
    const auto element = [&](int r) {
      return r < rows && l + column < end ? load(from[r * length + l + column]) : 0.0f;
    };
    for (int r = row; r < gram_tile; r += gram_rows) {
      left[r * gram_pitch + column] = element(tile.i * gram_tile + r);
      right[r * gram_pitch + column] = element(tile.j * gram_tile + r);
    }
    __syncthreads();
    gram_multiply(left, right, sum);
    __syncthreads();
  }
  const int64_t block =
      (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y;
  for (int r = 0; r < gram_outputs; ++r) {
    partial[block * gram_tile * gram_tile + (row + r * gram_rows) * gram_tile + column] = sum[r];
  }
}

// Adds up the chunks and writes both triangles. Grid: tiles, 1, batch.
template <class T>
__global__ void __launch_bounds__(gram_threads)
    gram_finish(const float* partial, int rows, int64_t chunks, double scale, int64_t stride_b,
                int64_t stride_r, int64_t stride_c, T* y) {
  const GramTile tile(static_cast<int>(blockIdx.x));
  const int64_t first = (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * chunks;
  for (int at = static_cast<int>(threadIdx.x); at < gram_tile * gram_tile; at += gram_threads) {
    const int i = tile.i * gram_tile + at / gram_tile, j = tile.j * gram_tile + at % gram_tile;
    if (i > j || j >= rows) continue;
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      sum += partial[(first + chunk) * gram_tile * gram_tile + at];
    }
    const T value = store<T>(static_cast<float>(scale * sum));
    T* to = y + blockIdx.z * stride_b;
    to[i * stride_r + j * stride_c] = value;
    to[j * stride_r + i * stride_c] = value;
  }
}

// dx[b, rows, L] = scale * (dy + dy^T) x. Grid: tiles of L, tiles of rows, batch.
template <class T>
__global__ void __launch_bounds__(gram_threads)
    gram_gradient(const T* dy, int64_t stride_b, int64_t stride_r, int64_t stride_c, const T* x,
                  int rows, int64_t length, float scale, T* dx) {
  const int column = static_cast<int>(threadIdx.x) % gram_tile;
  const int row = static_cast<int>(threadIdx.x) / gram_tile;
  const int first_row = static_cast<int>(blockIdx.y) * gram_tile;
  const int64_t first_column = static_cast<int64_t>(blockIdx.x) * gram_tile;
  const int64_t image = static_cast<int64_t>(blockIdx.z) * rows * length;
  const T* gradient = dy + blockIdx.z * stride_b;
  SharedMemory shared;
  const SharedArray<float> left = shared.array<float>(gram_tile * gram_pitch);   // [row][k]
  const SharedArray<float> right = shared.array<float>(gram_tile * gram_pitch);  // [column][k]
  float sum[gram_outputs] = {};
  for (int k = 0; k < rows; k += gram_tile) {
    for (int r = row; r < gram_tile; r += gram_rows) {
      const int i = first_row + r, j = k + column;
      left[r * gram_pitch + column] = i < rows && j < rows
                                          ? load(gradient[i * stride_r + j * stride_c]) +
                                                load(gradient[j * stride_r + i * stride_c])
                                          : 0.0f;
      const int64_t l = first_column + column;
      right[column * gram_pitch + r] =
          k + r < rows && l < length ? load(x[image + (k + r) * length + l]) : 0.0f;
    }
    __syncthreads();
    gram_multiply(left, right, sum);
    __syncthreads();
  }
  for (int r = 0; r < gram_outputs; ++r) {
    const int i = first_row + row + r * gram_rows;
    const int64_t l = first_column + column;
    if (i < rows && l < length) dx[image + i * length + l] = store<T>(scale * sum[r]);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
