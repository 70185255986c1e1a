#pragma once

// softmax, log_softmax and the classification loss over contiguous rows [N, C].
//
// A row is worked on by `lanes` threads: a warp (eight rows a block), or a block of 256.
//
// Floor: softmax reads and writes each element once (its three passes over a row meet the caches);
// the loss reads N elements, or all with label smoothing. Two exponentials an element.

#include <cstdint>
#include <limits>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int row_threads = 256;

struct RowSum {
  __device__ float operator()(float a, float b) const { return a + b; }
};

// NaN wins.
struct RowMax {
  __device__ float operator()(float a, float b) const { return b > a || b != b ? b : a; }
};

// The fold of the values of a row's lanes, in each of them.
template <int lanes, class Combine>
__device__ float fold_row(float value, const Combine& combine) {
  for (int step = 16; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
  }
  if constexpr (lanes > 32) {
    SharedMemory shared;
    const SharedArray<float> warps = shared.array<float>(lanes / 32);
    __syncthreads();  // an earlier fold may still be read
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    value = warps[0];
    for (int i = 1; i < lanes / 32; ++i) value = combine(value, warps[i]);
  }
  return value;
}

// The row of this thread, and its lane in it.
template <int lanes>
struct RowLane {
  int64_t row = static_cast<int64_t>(blockIdx.x) * (row_threads / lanes) + threadIdx.x / lanes;
  int lane = static_cast<int>(threadIdx.x % lanes);
};

template <int lanes, bool logarithm, class T>
__global__ void softmax_kernel(int64_t rows, int64_t size, const T* x, T* y) {
  const RowLane<lanes> at;
  if (at.row >= rows) return;  // whole warps, or none of the block
  x += at.row * size;
  y += at.row * size;
  float most = -std::numeric_limits<float>::infinity();
  for (int64_t c = at.lane; c < size; c += lanes) most = RowMax{}(most, load(x[c]));
  most = fold_row<lanes>(most, RowMax{});
  float sum = 0;
  for (int64_t c = at.lane; c < size; c += lanes) sum += expf(load(x[c]) - most);
  sum = fold_row<lanes>(sum, RowSum{});
  const float log_sum = logf(sum);
  for (int64_t c = at.lane; c < size; c += lanes) {
    const float shifted = load(x[c]) - most;
    y[c] = store<T>(logarithm ? shifted - log_sum : expf(shifted) / sum);
  }
}

template <int lanes, bool logarithm, class T>
__global__ void softmax_backward_kernel(int64_t rows, int64_t size, const T* dy, const T* y,
                                        T* dx) {
  const RowLane<lanes> at;
  if (at.row >= rows) return;
  dy += at.row * size;
  y += at.row * size;
  dx += at.row * size;
  float sum = 0;
  for (int64_t c = at.lane; c < size; c += lanes) {
    sum += logarithm ? load(dy[c]) : load(dy[c]) * load(y[c]);
  }
  sum = fold_row<lanes>(sum, RowSum{});
  for (int64_t c = at.lane; c < size; c += lanes) {
    const float probability = logarithm ? expf(load(y[c])) : load(y[c]);
    dx[c] =
        store<T>(logarithm ? load(dy[c]) - probability * sum : probability * (load(dy[c]) - sum));
  }
}

// row_loss[n] = (1-e) logp[n, target] + e/C sum_c logp[n, c]; NaN for a target that is no class.
template <class T>
__global__ void nll_rows_kernel(int64_t rows, int64_t classes, float smoothing,
                                const T* log_probabilities, const int64_t* target,
                                int64_t target_stride, float* row_loss) {
  const RowLane<32> at;
  if (at.row >= rows) return;
  const T* row = log_probabilities + at.row * classes;
  float sum = 0;
  if (smoothing != 0) {
    for (int64_t c = at.lane; c < classes; c += 32) sum += load(row[c]);
    sum = fold_row<32>(sum, RowSum{});
  }
  if (at.lane != 0) return;
  const int64_t index = target[at.row * target_stride];
  const bool valid = index >= 0 && index < classes;
  const float at_target = valid ? load(row[index]) : std::numeric_limits<float>::quiet_NaN();
  row_loss[at.row] = (1 - smoothing) * at_target + smoothing / static_cast<float>(classes) * sum;
}

// dlogits = dloss * scale * (p - (1-e) at the target - e/C); NaN for a target that is no class.
template <class T>
__global__ void cross_entropy_backward_kernel(int64_t rows, int64_t classes, float scale,
                                              float smoothing, const float* dloss,
                                              const T* log_probabilities, const int64_t* target,
                                              int64_t target_stride, T* dlogits) {
  const RowLane<32> at;
  if (at.row >= rows) return;
  const T* row = log_probabilities + at.row * classes;
  T* out = dlogits + at.row * classes;
  const int64_t index = target[at.row * target_stride];
  const bool valid = index >= 0 && index < classes;
  const float factor = valid ? scale * *dloss : std::numeric_limits<float>::quiet_NaN();
  const float everywhere = smoothing / static_cast<float>(classes);
  for (int64_t c = at.lane; c < classes; c += 32) {
    const float gradient = expf(load(row[c])) - everywhere - (c == index ? 1 - smoothing : 0.0f);
    out[c] = store<T>(factor * gradient);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
