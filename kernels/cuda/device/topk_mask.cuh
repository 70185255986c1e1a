#pragma once

// What is done with Top-K's mask, [rows, ceil(length / 32)] words.

#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_mask_threads = 256;

// dx = blend(dy, mask), rows contiguous; a warp a word. Floor: dy read, dx written, the mask read.
template <class T>
__global__ void topk_mask_rows(const ElementBits<T>* dy, const uint32_t* mask, int64_t rows,
                               int length, float tau, ElementBits<T>* dx) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int words = (length + 31) / 32;
  const int64_t word = thread_number() / warp_lanes;
  if (word >= rows * words) return;
  const int64_t row = word / words;
  const int i = static_cast<int>(word - row * words) * 32 + lane;
  if (i >= length) return;
  const bool passed = mask[word] >> lane & 1u;
  dx[row * length + i] = topk_blend<T>(dy[row * length + i], passed, tau);
}

// The same, channels last: a lane is a channel, a warp has 32 pixels of 32 channels.
template <class T>
__global__ void topk_mask_channels_last(const ElementBits<T>* dy, const uint32_t* mask,
                                        int64_t images, int channels, int length, float tau,
                                        ElementBits<T>* dx) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int words = (length + 31) / 32, tiles = (channels + warp_lanes - 1) / warp_lanes;
  const int64_t task = thread_number() / warp_lanes;
  if (task >= images * words * tiles) return;
  const int channel = static_cast<int>(task % tiles) * warp_lanes + lane;
  const int word = static_cast<int>(task / tiles % words);
  const int64_t image = task / tiles / words;
  if (channel >= channels) return;
  const uint32_t bits = mask[(image * channels + channel) * words + word];
  const int count = ::min(32, length - word * 32);
  for (int bit = 0; bit < count; ++bit) {
    const int64_t offset =
        (image * length + word * 32 + bit) * static_cast<int64_t>(channels) + channel;
    dx[offset] = topk_blend<T>(dy[offset], bits >> bit & 1u, tau);
  }
}

// y[i] = mask bit i ? the mean of the k elements of x whose bit is set : +0. A block a row; the
// pixels of row (n, c) lie at n * step_n + c * step_c + i * step. Summed in double, in an order
// that the row's length alone decides. Floor: one read of each, one write; x is read once more.
template <class T>
__global__ void topk_spread_mean(const T* x, const uint32_t* mask, int channels, int length,
                                 int64_t step_n, int64_t step_c, int64_t step, int64_t k, T* y) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int warp = static_cast<int>(threadIdx.x / warp_lanes);
  const int64_t row = blockIdx.x;
  const int64_t origin = row / channels * step_n + row % channels * step_c;
  const uint32_t* bits = mask + row * ((length + 31) / 32);
  SharedMemory memory;
  const SharedArray<double> sums = memory.array<double>(topk_mask_threads / warp_lanes);
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < length; i += topk_mask_threads) {
    if (bits[i / 32] >> lane & 1u) sum += load(x[origin + i * step]);
  }
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  double total = 0;
  for (int other = 0; other < topk_mask_threads / warp_lanes; ++other) total += sums[other];
  const T mean = store<T>(static_cast<float>(total / static_cast<double>(k)));
  const T zero = store<T>(0.0f);
  for (int i = static_cast<int>(threadIdx.x); i < length; i += topk_mask_threads) {
    y[origin + i * step] = bits[i / 32] >> lane & 1u ? mean : zero;
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
