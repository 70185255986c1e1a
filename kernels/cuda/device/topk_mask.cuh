#pragma once

// What is done with Top-K's mask, [rows, ceil(length / 32)] words.

#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_mask_threads = 256;

// How many elements a thread moves at once where rows allow it.
template <class T>
inline constexpr int topk_mask_pack = static_cast<int>(16 / sizeof(T));

// A pack of which those elements are kept whose bits, from the lowest up, are set.
template <class T, int pack>
__device__ inline Pack<ElementBits<T>, pack> topk_masked(const Pack<ElementBits<T>, pack>& run,
                                                         uint32_t bits) {
  Pack<ElementBits<T>, pack> result;
#pragma unroll
  for (int e = 0; e < pack; ++e) {
    result.value[e] = (bits & 1u << e) != 0 ? run.value[e] : ElementBits<T>{0};
  }
  return result;
}

// dx = blend(dy, mask), rows contiguous; a thread has `pack` neighbouring elements, in whatever
// rows they lie; dy and dx are aligned to as many. parts: 1 where each pack lies in one row, in one
// word of the mask, 2 where each half of it does, else 0. Floor: dy read, dx written, the mask
// read: a word for each pack, from L1 but for the first of 32 elements.
template <class T, int pack>
__global__ void __launch_bounds__(topk_mask_threads)
    topk_mask_rows(const ElementBits<T>* dy, const uint32_t* mask, int64_t numel, int length,
                   Divisor by_length, int parts, float tau, ElementBits<T>* dx) {
  using Run = Pack<ElementBits<T>, pack>;
  const int64_t first = thread_number() * pack;
  if (first >= numel) return;
  const int size = static_cast<int>(::min(numel - first, int64_t{pack}));
  int64_t row =
      numel <= Divisor::most ? by_length.divide(static_cast<uint32_t>(first)) : first / length;
  int column = static_cast<int>(first - row * length);
  const int words = (length + 31) / 32;
  Run run{};
  if (size == pack) {
    run = *reinterpret_cast<const Run*>(dy + first);
  } else {
#pragma unroll
    for (int e = 0; e < pack; ++e) {
      if (e < size) run.value[e] = dy[first + e];
    }
  }
  uint32_t bits = mask[row * words + column / 32] >> (column % 32);
  if (parts > 0 && size == pack && tau == 1.0f) {
    if (parts == 2) {
      constexpr int half = pack / 2;
      if ((column += half) == length) {
        column = 0;
        ++row;
      }
      const uint32_t upper = mask[row * words + column / 32] >> (column % 32);
      bits = (bits & ((1u << half) - 1)) | upper << half;
    }
    *reinterpret_cast<Run*>(dx + first) = topk_masked<T>(run, bits);
    return;
  }
#pragma unroll
  for (int e = 0; e < pack; ++e) {
    if (e < size) run.value[e] = topk_blend<T>(run.value[e], bits & 1u, tau);
    bits >>= 1;
    if (++column == length) {
      column = 0;
      ++row;
    }
    if (column % 32 == 0 && e + 1 < size) bits = mask[row * words + column / 32];
  }
  if (size == pack) {
    *reinterpret_cast<Run*>(dx + first) = run;
  } else {
#pragma unroll
    for (int e = 0; e < pack; ++e) {
      if (e < size) dx[first + e] = run.value[e];
    }
  }
}

// The same, channels last: a thread has 32 pixels of `pack` neighbouring channels, whose number is
// a multiple of that. Neighbouring threads have neighbouring channels, so that they read whole
// lines; a block's words of the mask are neighbours too. tasks: images * words * channels / pack.
template <class T, int pack>
__global__ void __launch_bounds__(topk_mask_threads)
    topk_mask_channels_last(const ElementBits<T>* dy, const uint32_t* mask, int64_t tasks,
                            int channels, int length, float tau, ElementBits<T>* dx) {
  using Run = Pack<ElementBits<T>, pack>;
  const int64_t task = thread_number();
  if (task >= tasks) return;
  const int words = (length + 31) / 32, groups = channels / pack;
  const int channel = static_cast<int>(task % groups) * pack;
  const int64_t rest = task / groups, image = rest / words;
  const int word = static_cast<int>(rest - image * words);
  uint32_t bits[pack];
#pragma unroll
  for (int e = 0; e < pack; ++e) {
    bits[e] = mask[(image * channels + channel + e) * words + word];
  }
  const int count = ::min(32, length - word * 32);
  int64_t offset = (image * length + word * 32) * static_cast<int64_t>(channels) + channel;
#pragma unroll 4
  for (int bit = 0; bit < count; ++bit, offset += channels) {
    Run run = *reinterpret_cast<const Run*>(dy + offset);
#pragma unroll
    for (int e = 0; e < pack; ++e) {
      run.value[e] = topk_blend<T>(run.value[e], bits[e] >> bit & 1u, tau);
    }
    *reinterpret_cast<Run*>(dx + offset) = run;
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
