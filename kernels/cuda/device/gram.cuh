#pragma once

// Gram matrices and their gradient: tiles of 64 x 64 outputs, 64 threads with 8 x 8 outputs each in
// registers.
//
// Floor: forward R (R + 1) / 2 * L multiply-adds an image (the tiles on and above the diagonal do
// R (R + 64) / 2 * L), backward R^2 L, over the device's f32 FMA rate. In 16 steps of the inner
// loop a thread issues 1024 multiply-adds, 64 16-byte reads of shared memory, and 32 loads and
// stores of elements, on their way while it multiplies, with some four instructions for each one's
// address: four fifths of what it issues are multiply-adds.

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int gram_tile = 64;
inline constexpr int gram_step = 16;              // of the summed dimension, in shared memory
inline constexpr int gram_pitch = gram_tile + 4;  // 16-byte reads stay aligned
inline constexpr int gram_side = 8;               // outputs of a thread, each way
inline constexpr int gram_threads = gram_tile / gram_side * (gram_tile / gram_side);
inline constexpr int gram_loads = gram_tile * gram_step / gram_threads;  // of a thread, a step
inline constexpr int64_t gram_longest_chunk = 1024;  // summed in f32; chunks are summed in f64

// One operand's step: [gram_step][gram_pitch].
__host__ __device__ constexpr size_t gram_shared_bytes() {
  return 2 * shared_size<float>(gram_step * gram_pitch);
}

// The tile (i, j), i <= j, among those on and above the diagonal, counted column by column.
struct GramTile {
  int i, j;
  __device__ explicit GramTile(int index) : i(index), j(0) {
    while (i > j) i -= ++j;
  }
};

// The place in its tile of a thread's o-th row, and of its o-th column: four neighbours, and four
// more half a tile away, so that a warp's reads meet no bank twice.
__device__ inline int gram_row(int o) {
  return o / 4 * (gram_tile / 2) + static_cast<int>(threadIdx.x) / gram_side * 4 + o % 4;
}
__device__ inline int gram_column(int o) {
  return o / 4 * (gram_tile / 2) + static_cast<int>(threadIdx.x) % gram_side * 4 + o % 4;
}

// What a thread loads of a step before it is needed: element(k, r) for its share of the step's
// [gram_step][gram_tile] elements. `along_k`: neighbouring threads take neighbouring k, else r.
template <bool along_k>
struct GramLoads {
  float value[gram_loads];

  static __device__ int k(int o) {
    const int t = static_cast<int>(threadIdx.x);
    return along_k ? t % gram_step : o;
  }
  static __device__ int r(int o) {
    const int t = static_cast<int>(threadIdx.x);
    return along_k ? t / gram_step + o * (gram_threads / gram_step) : t;
  }
  template <class Element>
  __device__ void load(const Element& element) {
#pragma unroll
    for (int o = 0; o < gram_loads; ++o) value[o] = element(k(o), r(o));
  }
  __device__ void store(const SharedArray<float>& operand) const {
#pragma unroll
    for (int o = 0; o < gram_loads; ++o) operand[k(o) * gram_pitch + r(o)] = value[o];
  }
};

__device__ inline void gram_read(const SharedArray<float4>& operand, int k, int thread,
                                 float (&value)[gram_side]) {
  const int at = k * (gram_pitch / 4) + thread;
  const float4 low = operand[at], high = operand[at + gram_tile / 8];
  value[0] = low.x, value[1] = low.y, value[2] = low.z, value[3] = low.w;
  value[4] = high.x, value[5] = high.y, value[6] = high.z, value[7] = high.w;
}

// sum[r][c] += left[k][row r] * right[k][column c] over one step.
__device__ inline void gram_multiply(const SharedArray<float>& left,
                                     const SharedArray<float>& right,
                                     float (&sum)[gram_side][gram_side]) {
  const SharedArray<float4> rows = shared_cast<float4>(left), columns = shared_cast<float4>(right);
#pragma unroll 4
  for (int k = 0; k < gram_step; ++k) {
    float a[gram_side], b[gram_side];
    gram_read(rows, k, static_cast<int>(threadIdx.x) / gram_side, a);
    gram_read(columns, k, static_cast<int>(threadIdx.x) % gram_side, b);
#pragma unroll
    for (int r = 0; r < gram_side; ++r) {
#pragma unroll
      for (int c = 0; c < gram_side; ++c) sum[r][c] = __fmaf_rn(a[r], b[c], sum[r][c]);
    }
  }
}

// sum = the product of two operands over [begin, end): left(k, row), right(k, column); with `same`
// the right one is the left one.
template <bool left_along_k, bool right_along_k, class Left, class Right>
__device__ inline void gram_product(int64_t begin, int64_t end, const Left& left_element,
                                    const Right& right_element, bool same,
                                    float (&sum)[gram_side][gram_side]) {
  SharedMemory shared;
  const SharedArray<float> left = shared.array<float>(gram_step * gram_pitch);
  const SharedArray<float> second = shared.array<float>(gram_step * gram_pitch);
  const SharedArray<float> right = same ? left : second;
  GramLoads<left_along_k> left_loads;
  GramLoads<right_along_k> right_loads;
  const auto load = [&](int64_t from) {
    left_loads.load([&](int k, int r) { return left_element(from + k, r); });
    if (!same) right_loads.load([&](int k, int r) { return right_element(from + k, r); });
  };
  load(begin);
  for (int64_t from = begin; from < end; from += gram_step) {
    left_loads.store(left);
    if (!same) right_loads.store(right);
    __syncthreads();
    load(from + gram_step);  // beyond the end the elements are 0
    gram_multiply(left, right, sum);
    __syncthreads();
  }
}

// partial[b, tile, chunk, 64, 64] = x[b, rows of i] x[b, rows of j]^T over a chunk of L.
// Grid: tiles, chunks, batch.
template <class T>
__global__ void __launch_bounds__(gram_threads)
    gram_partial(const T* x, int rows, int64_t length, int64_t chunk, float* partial) {
  const GramTile tile(static_cast<int>(blockIdx.x));
  const T* from = x + static_cast<int64_t>(blockIdx.z) * rows * length;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * chunk;
  const int64_t end = begin + chunk < length ? begin + chunk : length;
  const auto element = [&](int64_t l, int row) {
    return l < end && row < rows ? load(from[row * length + l]) : 0.0f;
  };
  float sum[gram_side][gram_side] = {};
  gram_product<true, true>(
      begin, end, [&](int64_t l, int r) { return element(l, tile.i * gram_tile + r); },
      [&](int64_t l, int r) { return element(l, tile.j * gram_tile + r); }, tile.i == tile.j, sum);
  const int64_t block =
      (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y;
  float* to = partial + block * gram_tile * gram_tile;
  for (int r = 0; r < gram_side; ++r) {
    for (int c = 0; c < gram_side; ++c) to[gram_row(r) * gram_tile + gram_column(c)] = sum[r][c];
  }
}

// Adds up the chunks and writes both triangles. Grid: tiles, 1, batch.
inline constexpr int gram_finish_threads = 256;

template <class T>
__global__ void __launch_bounds__(gram_finish_threads)
    gram_finish(const float* partial, int rows, int64_t chunks, double scale, int64_t stride_b,
                int64_t stride_r, int64_t stride_c, T* y) {
  const GramTile tile(static_cast<int>(blockIdx.x));
  const int64_t first = (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * chunks;
  for (int at = static_cast<int>(threadIdx.x); at < gram_tile * gram_tile;
       at += gram_finish_threads) {
    const int i = tile.i * gram_tile + at / gram_tile, j = tile.j * gram_tile + at % gram_tile;
    if (i > j || j >= rows) continue;
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      sum += partial[(first + chunk) * gram_tile * gram_tile + at];
    }
    const T value = store<T>(static_cast<float>(scale * sum));
    T* to = y + blockIdx.z * stride_b;
    to[i * stride_r + j * stride_c] = value;
    if (i != j) to[j * stride_r + i * stride_c] = value;
  }
}

// dx[b, rows, L] = scale * (dy + dy^T) x. Grid: tiles of L, tiles of rows, batch.
template <class T>
__global__ void __launch_bounds__(gram_threads)
    gram_gradient(const T* dy, int64_t stride_b, int64_t stride_r, int64_t stride_c, const T* x,
                  int rows, int64_t length, float scale, T* dx) {
  const int first_row = static_cast<int>(blockIdx.y) * gram_tile;
  const int64_t first_column = static_cast<int64_t>(blockIdx.x) * gram_tile;
  const int64_t image = static_cast<int64_t>(blockIdx.z) * rows * length;
  const T* gradient = dy + blockIdx.z * stride_b;
  const auto symmetric = [&](int64_t k, int r) {
    const int row = first_row + r;
    return k < rows && row < rows ? load(gradient[k * stride_r + row * stride_c]) +
                                        load(gradient[row * stride_r + k * stride_c])
                                  : 0.0f;
  };
  const auto element = [&](int64_t k, int c) {
    const int64_t l = first_column + c;
    return k < rows && l < length ? load(x[image + k * length + l]) : 0.0f;
  };
  float sum[gram_side][gram_side] = {};
  gram_product<false, false>(0, rows, symmetric, element, false, sum);
  for (int r = 0; r < gram_side; ++r) {
    const int row = first_row + gram_row(r);
    for (int c = 0; c < gram_side; ++c) {
      const int64_t l = first_column + gram_column(c);
      if (row < rows && l < length) dx[image + row * length + l] = store<T>(scale * sum[r][c]);
    }
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
