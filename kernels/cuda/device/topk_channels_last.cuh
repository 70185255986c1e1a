#pragma once

// Top-K of channels-last rows. A lane is a channel, so that a warp reads 32 neighbouring ones; the
// warps of a block share the pixels of 32 channels. Digits of 4 bits, with a histogram a lane.
//
// Floor: one read and one write of x. This reads up to ten times (f32) or six (bf16, f16), all but
// the first from L2 where the 32 channels of an image fit there.

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_channel_digit_bits = 4;
inline constexpr int topk_channel_bins = 1 << topk_channel_digit_bits;
inline constexpr int topk_channel_warps = topk_channel_bins;  // each adds up one bin
inline constexpr int topk_channel_threads = topk_channel_warps * warp_lanes;

__host__ __device__ constexpr size_t topk_channel_bytes() {
  return shared_size<uint32_t>(topk_channel_warps * topk_channel_bins * warp_lanes) +
         shared_size<uint32_t>(topk_channel_bins * warp_lanes);
}

template <class Key, class T>
__global__ void __launch_bounds__(topk_channel_threads)
    topk_channels_last(const ElementBits<T>* x, int channels, int length, uint32_t k,
                       TopKOutput<T> output) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int warp = static_cast<int>(threadIdx.x / warp_lanes);
  const int tiles = (channels + warp_lanes - 1) / warp_lanes;
  const int64_t image = blockIdx.x / tiles;
  const int channel = static_cast<int>(blockIdx.x % tiles) * warp_lanes + lane;
  const bool present = channel < channels;
  const int64_t origin = image * length * channels + channel;
  const int words = (length + 31) / 32;
  const int chunk = (words + topk_channel_warps - 1) / topk_channel_warps * 32;
  const int begin = ::min(warp * chunk, length), end = ::min(begin + chunk, length);

  SharedMemory memory;
  // [warp][bin][lane] and [bin][lane]: bank = lane, and each lane counts alone.
  const SharedArray<uint32_t> counts =
      memory.array<uint32_t>(topk_channel_warps * topk_channel_bins * warp_lanes);
  const SharedArray<uint32_t> sums = memory.array<uint32_t>(topk_channel_bins * warp_lanes);
  const SharedArray<uint32_t> own = counts + warp * topk_channel_bins * warp_lanes + lane;

  // The state of a lane's channel; every warp keeps the same.
  TopKSelection selection{0, 0};
  uint32_t wanted = k, prefix = 0;
  bool done = !present;
  for (int shift = Key::bits; shift > 0 && !__all_sync(full_warp, done);) {
    const int width = ::min(topk_channel_digit_bits, shift);
    const int prefix_shift = shift;
    shift -= width;
    for (int bin = 0; bin < topk_channel_bins; ++bin) own[bin * warp_lanes] = 0;
    if (!done) {
      for (int i = begin; i < end; ++i) {
        const uint32_t key = Key::of(x[origin + static_cast<int64_t>(i) * channels]);
        const uint64_t high = static_cast<uint64_t>(key) >> prefix_shift;
        if (key != 0 && high == prefix) {
          own[static_cast<int>((key >> shift) & ((1u << width) - 1)) * warp_lanes] += 1;
        }
      }
    }
    __syncthreads();
    uint32_t sum = 0;
    for (int other = 0; other < topk_channel_warps; ++other) {
      sum += counts[(other * topk_channel_bins + warp) * warp_lanes + lane];
    }
    sums[warp * warp_lanes + lane] = sum;
    __syncthreads();
    if (!done) {
      uint32_t above = 0, count = 0;
      int bin = topk_channel_bins - 1;
      for (; bin >= 0; --bin) {
        count = sums[bin * warp_lanes + lane];
        if (above + count >= wanted) break;
        above += count;
      }
      wanted -= above;
      if (bin < 0) {  // fewer than k are not zero
        selection = {0, wanted};
        done = true;
      } else {
        prefix = prefix << width | static_cast<uint32_t>(bin);
        selection = {prefix, wanted};
        if (count == wanted) {
          selection = keys_from(prefix << shift);
          done = true;
        }
      }
    }
  }

  // Ties before this warp's chunk.
  __syncthreads();
  uint32_t ties = 0;
  if (selection.ties > 0) {
    for (int i = begin; i < end; ++i) {
      ties += Key::of(x[origin + static_cast<int64_t>(i) * channels]) == selection.threshold;
    }
  }
  sums[warp * warp_lanes + lane] = ties;
  __syncthreads();
  uint32_t rank = 0;
  for (int before = 0; before < warp; ++before) rank += sums[before * warp_lanes + lane];

  if (!present) return;
  for (int i = begin; i < end; i += 32) {
    uint32_t word = 0;
    const int count = ::min(32, end - i);
    for (int bit = 0; bit < count; ++bit) {
      const int64_t offset = origin + static_cast<int64_t>(i + bit) * channels;
      const ElementBits<T> element = x[offset];
      const uint32_t key = Key::of(element);
      bool kept = key > selection.threshold;
      if (key == selection.threshold) kept = rank++ < selection.ties;
      const bool passed = kept != output.reverse;
      word |= static_cast<uint32_t>(passed) << bit;
      if (output.y != nullptr) output.y[offset] = topk_blend<T>(element, passed, output.tau);
    }
    if (output.mask != nullptr) output.mask[(image * channels + channel) * words + i / 32] = word;
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
