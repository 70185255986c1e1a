#pragma once

// Gram matrices: tiles of 64 x 64 outputs, 64 threads with 8 x 8 outputs each in registers, over
// chunks of the summed dimension L, which a second kernel adds up.
//
// Floor: R (R + 1) / 2 * L multiply-adds an image (the tiles on and above the diagonal do
// R (R + 64) / 2 * L) over the device's f32 FMA rate, or one read of x. In 16 steps of the inner
// loop a thread issues 1024 multiply-adds, 64 16-byte reads of shared memory, and 8 loads and 8
// stores of 16 bytes, on their way while it multiplies: nine tenths of what it issues are
// multiply-adds.

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int gram_tile = 64;
inline constexpr int gram_step = 16;  // of L, in shared memory
inline constexpr int gram_side = 8;   // outputs of a thread, each way
inline constexpr int gram_strands = gram_tile / gram_side;
inline constexpr int gram_threads = gram_strands * gram_strands;
inline constexpr int64_t gram_longest_chunk = 1024;  // summed in f32; chunks are summed in f64

// One operand's step, [gram_tile][gram_step], in float4. A row has one more, so that eight threads
// that read neighbouring rows, or write neighbouring parts of rows, meet no bank twice.
inline constexpr int gram_pitch = gram_step / 4 + 1;
inline constexpr int gram_operand = gram_tile * gram_pitch;

// Two operands, each twice: one step is multiplied while the next one is written.
__host__ __device__ constexpr size_t gram_shared_bytes() {
  return shared_size<float4>(4 * gram_operand);
}

// The tile (i, j), i <= j, among those on and above the diagonal, counted column by column.
struct GramTile {
  int i, j;
  __device__ explicit GramTile(int index) : i(index), j(0) {
    while (i > j) i -= ++j;
  }
};

// The o-th row (column) of its tile that belongs to a strand of threads: four neighbours, which
// leave as 16 bytes, and four more half a tile away.
__host__ __device__ constexpr int gram_row(int o, int strand) {
  return o / 4 * (gram_tile / 2) + strand * 4 + o % 4;
}

// Its place in shared memory is o * gram_strands + strand. Of the row at `place`:
__host__ __device__ constexpr int gram_row_at(int place) {
  return gram_row(place / gram_strands, place % gram_strands);
}

// One thread's share of an operand, whose steps are loaded before they are needed. `packs`: x and
// its rows are aligned to 16 bytes.
template <class T, bool packs>
struct GramLoads {
  static constexpr int size = 16 / sizeof(T);            // of a pack
  static constexpr int row_packs = gram_step / size;     // packs of a row
  static constexpr int rows = gram_threads / row_packs;  // rows that the block loads at once
  static constexpr int count = gram_tile / rows;         // packs of a thread

  const T* next;  // of the thread's first row
  int present;    // rows from the thread's first one on
  int place, column;
  Pack<T, size> value[count];

  // x: [rows, length], from the tile's first row on, of which `present` exist, and from the first
  // step on.
  __device__ GramLoads(const T* x, int present, int64_t length)
      : place(static_cast<int>(threadIdx.x) / row_packs),
        column(static_cast<int>(threadIdx.x) % row_packs * size) {
    const int row = gram_row_at(place);
    next = x + row * length + column;
    this->present = present - row;
  }
  // The thread's n-th row, from its first one: the same for all threads.
  static __device__ constexpr int row(int n) { return gram_row_at(n * rows); }

  // The next step, of which `width` columns exist.
  __device__ void load(int64_t length, int width) {
#pragma unroll
    for (int n = 0; n < count; ++n) {
      const T* at = next + row(n) * length;
      if constexpr (packs) {
        value[n] = Pack<T, size>{};
        if (row(n) < present && column < width) {
          value[n] = *reinterpret_cast<const Pack<T, size>*>(at);
        }
      } else {
#pragma unroll
        for (int e = 0; e < size; ++e) {
          value[n].value[e] = row(n) < present && column + e < width ? at[e] : T{};
        }
      }
    }
    next += gram_step;
  }
  __device__ void store(const SharedArray<float4>& operand) const {
    const auto element = [&](int n, int e) {
      return GESTALT_CUDA_NAMESPACE::load(value[n].value[e]);
    };
#pragma unroll
    for (int n = 0; n < count; ++n) {
#pragma unroll
      for (int e = 0; e < size; e += 4) {
        operand[(place + n * rows) * gram_pitch + (column + e) / 4] =
            make_float4(element(n, e), element(n, e + 1), element(n, e + 2), element(n, e + 3));
      }
    }
  }
};

// sum[r][c] += the products of row r of `left` and row c of `right` over one step, in its order.
__device__ inline void gram_multiply(const SharedArray<float4>& left,
                                     const SharedArray<float4>& right,
                                     float (&sum)[gram_side][gram_side]) {
  const int row = static_cast<int>(threadIdx.x) / gram_strands * gram_pitch;
  const int column = static_cast<int>(threadIdx.x) % gram_strands * gram_pitch;
  constexpr int next = gram_strands * gram_pitch;
#pragma unroll 1
  for (int k = 0; k < gram_step / 4; ++k) {
    float4 a[gram_side];
#pragma unroll
    for (int r = 0; r < gram_side; ++r) a[r] = left[row + r * next + k];
#pragma unroll
    for (int c = 0; c < gram_side; ++c) {
      const float4 b = right[column + c * next + k];
#pragma unroll
      for (int r = 0; r < gram_side; ++r) sum[r][c] = __fmaf_rn(a[r].x, b.x, sum[r][c]);
#pragma unroll
      for (int r = 0; r < gram_side; ++r) sum[r][c] = __fmaf_rn(a[r].y, b.y, sum[r][c]);
#pragma unroll
      for (int r = 0; r < gram_side; ++r) sum[r][c] = __fmaf_rn(a[r].z, b.z, sum[r][c]);
#pragma unroll
      for (int r = 0; r < gram_side; ++r) sum[r][c] = __fmaf_rn(a[r].w, b.w, sum[r][c]);
    }
  }
}

// partial[b, tile, chunk, 64, 64] = x[b, rows of i] x[b, rows of j]^T over a chunk of L, a multiple
// of gram_step. Grid: tiles, chunks, batch.
template <class T, bool packs>
__global__ void __launch_bounds__(gram_threads, 6)
    gram_partial(const T* x, int rows, int64_t length, int64_t chunk, float* partial) {
  const GramTile tile(static_cast<int>(blockIdx.x));
  const bool diagonal = tile.i == tile.j;  // both operands are the same
  const int left_row = tile.i * gram_tile, right_row = tile.j * gram_tile;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * chunk;
  const int width = static_cast<int>(begin + chunk < length ? chunk : length - begin);
  const T* image = x + static_cast<int64_t>(blockIdx.z) * rows * length + begin;

  SharedMemory shared;
  const SharedArray<float4> operands = shared.array<float4>(4 * gram_operand);
  GramLoads<T, packs> left(image + left_row * length, rows - left_row, length);
  GramLoads<T, packs> right(image + right_row * length, rows - right_row, length);
  const auto load = [&](int from) {
    left.load(length, width - from);
    if (!diagonal) right.load(length, width - from);
  };
  const auto store = [&](int stage) {
    left.store(operands + 2 * stage * gram_operand);
    if (!diagonal) right.store(operands + (2 * stage + 1) * gram_operand);
  };

  float sum[gram_side][gram_side] = {};
  load(0);
  store(0);
  __syncthreads();
  int stage = 0;
  for (int from = 0; from < width; from += gram_step) {
    const bool more = from + gram_step < width;
    if (more) load(from + gram_step);
    const SharedArray<float4> rows_of_i = operands + 2 * stage * gram_operand;
    gram_multiply(rows_of_i, diagonal ? rows_of_i : rows_of_i + gram_operand, sum);
    stage ^= 1;
    if (more) store(stage);
    __syncthreads();
  }

  const int64_t block =
      (static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y;
  auto* to = reinterpret_cast<float4*>(partial + block * gram_tile * gram_tile);
  const int row_strand = static_cast<int>(threadIdx.x) / gram_strands;
  const int column_strand = static_cast<int>(threadIdx.x) % gram_strands;
#pragma unroll
  for (int r = 0; r < gram_side; ++r) {
#pragma unroll
    for (int c = 0; c < gram_side; c += 4) {
      to[(gram_row(r, row_strand) * gram_tile + gram_row(c, column_strand)) / 4] =
          make_float4(sum[r][c], sum[r][c + 1], sum[r][c + 2], sum[r][c + 3]);
    }
  }
}

// Adds up the chunks and writes both triangles. A block has some rows of a tile: each strand of its
// threads adds up every `strands`-th chunk of theirs, four outputs a thread, and the strands are
// added up in shared memory. Grid: tiles, row groups of a tile, batch.
//
// Floor: one read of the partial sums, most of them still in the L2 cache.
inline constexpr int gram_finish_threads = 256;
inline constexpr int gram_most_finish_strands = 16;  // one row a block

__host__ __device__ constexpr int gram_finish_rows(int strands) {
  return gram_finish_threads / strands / (gram_tile / 4);
}

__host__ __device__ constexpr size_t gram_finish_shared_bytes() {
  return shared_size<double>(4 * gram_finish_threads) +
         shared_size<float>(gram_finish_rows(1) * (gram_tile + 1));
}

template <class T>
__global__ void __launch_bounds__(gram_finish_threads)
    gram_finish(const float* partial, int rows, int64_t chunks, int strands, double scale,
                int64_t stride_b, int64_t stride_r, int64_t stride_c, T* y) {
  const GramTile tile(static_cast<int>(blockIdx.x));
  const int thread = static_cast<int>(threadIdx.x);
  const int quads = gram_finish_threads / strands;
  const int block_rows = gram_finish_rows(strands);
  const int strand = thread / quads, quad = thread % quads;
  const int first_row = static_cast<int>(blockIdx.y) * block_rows;  // of the tile
  const int row = first_row + quad / (gram_tile / 4), column = quad % (gram_tile / 4) * 4;
  const int i_begin = tile.i * gram_tile + first_row, j_begin = tile.j * gram_tile;

  double sum[4] = {};
  if (tile.i != tile.j || column + 3 >= row) {
    constexpr int64_t tile_quads = gram_tile * gram_tile / 4;
    const int64_t block = static_cast<int64_t>(blockIdx.z) * gridDim.x + blockIdx.x;
    const auto* from = reinterpret_cast<const float4*>(partial) + block * chunks * tile_quads +
                       (row * gram_tile + column) / 4;
#pragma unroll 8
    for (int64_t chunk = strand; chunk < chunks; chunk += strands) {
      const float4 value = from[chunk * tile_quads];
      sum[0] += value.x, sum[1] += value.y, sum[2] += value.z, sum[3] += value.w;
    }
  }

  SharedMemory shared;
  const SharedArray<double> sums = shared.array<double>(4 * gram_finish_threads);
  const SharedArray<float> result = shared.array<float>(gram_finish_rows(1) * (gram_tile + 1));
  for (int half = strands / 2; half > 0; half /= 2) {
    if (strand >= half && strand < 2 * half) {
      for (int e = 0; e < 4; ++e) sums[e * gram_finish_threads + thread] = sum[e];
    }
    __syncthreads();
    if (strand < half) {
      for (int e = 0; e < 4; ++e) sum[e] += sums[e * gram_finish_threads + thread + half * quads];
    }
    __syncthreads();
  }
  if (strand == 0) {
    for (int e = 0; e < 4; ++e) {
      result[(row - first_row) * (gram_tile + 1) + column + e] = static_cast<float>(scale * sum[e]);
    }
  }
  __syncthreads();

  // Each triangle along its own rows.
  T* to = y + blockIdx.z * stride_b;
  for (int at = thread; at < block_rows * gram_tile; at += gram_finish_threads) {
    const int r = at / gram_tile, c = at % gram_tile;
    const int64_t i = i_begin + r, j = j_begin + c;
    if (i <= j && j < rows) {
      to[i * stride_r + j * stride_c] = store<T>(result[r * (gram_tile + 1) + c]);
    }
  }
  for (int at = thread; at < block_rows * gram_tile; at += gram_finish_threads) {
    const int r = at % block_rows, c = at / block_rows;
    const int64_t i = i_begin + r, j = j_begin + c;
    if (i < j && j < rows) {
      to[j * stride_r + i * stride_c] = store<T>(result[r * (gram_tile + 1) + c]);
    }
  }
}

// y[B,R,R], contiguous = (dy + dy^T) / 2. A block reads a tile above the diagonal and its mirror
// image, and writes both. Grid: tiles, batch.
//
// Floor: one read and one write of [B,R,R].
inline constexpr int symmetrize_tile = 32;
inline constexpr int symmetrize_threads = 256;

__host__ __device__ constexpr size_t symmetrize_shared_bytes() {
  return 2 * shared_size<float>(symmetrize_tile * (symmetrize_tile + 1));
}

template <class T>
__global__ void __launch_bounds__(symmetrize_threads)
    symmetrize(const T* dy, int64_t stride_b, int64_t stride_r, int64_t stride_c, int rows, T* y) {
  constexpr int pitch = symmetrize_tile + 1;
  const GramTile tile(static_cast<int>(blockIdx.x));
  const int64_t i_begin = tile.i * symmetrize_tile, j_begin = tile.j * symmetrize_tile;
  SharedMemory shared;
  const SharedArray<float> upper = shared.array<float>(symmetrize_tile * pitch);
  const SharedArray<float> lower = shared.array<float>(symmetrize_tile * pitch);
  const int column = static_cast<int>(threadIdx.x) % symmetrize_tile;
  const int first_row = static_cast<int>(threadIdx.x) / symmetrize_tile;
  constexpr int step = symmetrize_threads / symmetrize_tile;

  const auto read = [&](const SharedArray<float>& to, int64_t from_i, int64_t from_j) {
#pragma unroll
    for (int row = first_row; row < symmetrize_tile; row += step) {
      const int64_t i = from_i + row, j = from_j + column;
      to[row * pitch + column] = i < rows && j < rows
                                     ? load(dy[blockIdx.y * stride_b + i * stride_r + j * stride_c])
                                     : 0.0f;
    }
  };
  read(upper, i_begin, j_begin);
  read(lower, j_begin, i_begin);
  __syncthreads();
  const auto write = [&](const SharedArray<float>& a, const SharedArray<float>& b, int64_t to_i,
                         int64_t to_j) {
#pragma unroll
    for (int row = first_row; row < symmetrize_tile; row += step) {
      const int64_t i = to_i + row, j = to_j + column;
      if (i >= rows || j >= rows) continue;
      const float mean = 0.5f * a[row * pitch + column] + 0.5f * b[column * pitch + row];
      y[(blockIdx.y * static_cast<int64_t>(rows) + i) * rows + j] = store<T>(mean);
    }
  };
  write(upper, lower, i_begin, j_begin);
  if (tile.i != tile.j) write(lower, upper, j_begin, i_begin);
}

}  // namespace GESTALT_CUDA_NAMESPACE
