#pragma once

// Top-K of contiguous rows: a block a row (in shared memory while it fits, else read again from L2
// for each digit).
//
// Floor: x is read once and y written once; the mask adds 1/32 (f32) or 1/16 of a write. A row that
// does not fit on the chip is read up to five times.

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// One step of the walk that writes a row: 32 neighbouring elements, one a lane. `ties_before` is
// the number of ties in the row before them, in every lane alike.
template <class Key, class T>
__device__ inline void topk_write_word(int64_t row, int length, int begin, ElementBits<T> element,
                                       TopKSelection selection, uint32_t& ties_before,
                                       const TopKOutput<T>& output) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int i = begin + lane;
  const bool inside = i < length;
  const uint32_t key = Key::of(element);
  const bool tie = inside && key == selection.threshold;
  const uint32_t ties = __ballot_sync(full_warp, tie);
  const uint32_t rank = ties_before + __popc(ties & ((1u << lane) - 1));
  ties_before += __popc(ties);
  const bool kept = key > selection.threshold || (tie && rank < selection.ties);
  const bool passed = inside && kept != output.reverse;
  const uint32_t word = __ballot_sync(full_warp, passed);
  if (output.mask != nullptr && lane == 0) {
    output.mask[row * ((length + 31) / 32) + begin / 32] = word;
  }
  if (output.y != nullptr && inside) {
    output.y[row * length + i] = topk_blend<T>(element, passed, output.tau);
  }
}

// ---- a block a row ----

inline constexpr int topk_digit_bits = 11;
inline constexpr int topk_bins = 1 << topk_digit_bits;
inline constexpr int topk_most_warps = 32;

struct TopKBlockMemory {
  SharedArray<uint32_t> histogram;  // [topk_bins]
  SharedArray<uint32_t> warp;       // [topk_most_warps]
  SharedArray<uint32_t> found;      // [3]
};

// Bytes beside the row itself.
__host__ __device__ constexpr size_t topk_block_bytes() {
  return shared_size<uint32_t>(topk_bins) + shared_size<uint32_t>(topk_most_warps) +
         shared_size<uint32_t>(3);
}

struct TopKBin {
  uint32_t bin, above, count;  // `above`: elements in higher bins
  bool exists;                 // false: fewer elements than asked for
};

// The bin that holds the wanted-th largest element. The same in every thread.
__device__ inline TopKBin topk_find_bin(const TopKBlockMemory& shared, uint32_t wanted) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int warp = static_cast<int>(threadIdx.x / warp_lanes);
  const int warps = static_cast<int>(blockDim.x / warp_lanes);
  const int share = topk_bins / warps;  // of each warp, from the highest bins down
  const int first = topk_bins - 1 - warp * share;
  uint32_t sum = 0;
  for (int i = lane; i < share; i += warp_lanes) sum += shared.histogram[first - i];
  sum = warp_sum(sum);
  if (lane == 0) shared.warp[warp] = sum;
  __syncthreads();

  uint32_t above = 0;
  int owner = 0;
  for (; owner < warps; ++owner) {
    const uint32_t count = shared.warp[owner];
    if (above + count >= wanted) break;
    above += count;
  }
  if (owner == warps) {  // all threads alike
    __syncthreads();
    return {0, above, 0, false};
  }
  if (warp == owner) {
    for (int begin = 0; begin < share; begin += warp_lanes) {
      const uint32_t count = shared.histogram[first - begin - lane];
      const uint32_t up_to = above + warp_inclusive_sum(count);
      const uint32_t reached = __ballot_sync(full_warp, up_to >= wanted);
      if (reached != 0) {
        if (lane == __ffs(static_cast<int>(reached)) - 1) {
          shared.found[0] = static_cast<uint32_t>(first - begin - lane);
          shared.found[1] = up_to - count;
          shared.found[2] = count;
        }
        break;
      }
      above = __shfl_sync(full_warp, up_to, warp_lanes - 1);
    }
  }
  __syncthreads();
  return {shared.found[0], shared.found[1], shared.found[2], true};
}

// Radix selection, 11 bits at a time from the top. element(i) gives the row's elements.
template <class Key, class Element>
__device__ inline TopKSelection topk_select_in_block(const TopKBlockMemory& shared,
                                                     const Element& element, int length,
                                                     uint32_t k) {
  uint32_t wanted = k, prefix = 0;
  int shift = Key::bits;
  while (shift > 0) {
    const int width = ::min(topk_digit_bits, shift);
    const int prefix_shift = shift;
    shift -= width;
    for (int bin = static_cast<int>(threadIdx.x); bin < topk_bins; bin += blockDim.x) {
      shared.histogram[bin] = 0;
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < length; i += blockDim.x) {
      const uint32_t key = Key::of(element(i));
      // Zeros, often most of a row after ReLU, would all meet in one bin.
      const uint64_t high = static_cast<uint64_t>(key) >> prefix_shift;
      if (key != 0 && high == prefix) {
        atomicAdd(shared.histogram + ((key >> shift) & ((1u << width) - 1)), 1u);
      }
    }
    __syncthreads();
    const TopKBin bin = topk_find_bin(shared, wanted);
    if (!bin.exists) return {0, wanted - bin.above};  // fewer than k are not zero
    wanted -= bin.above;
    prefix = prefix << width | bin.bin;
    if (bin.count == wanted) return keys_from(prefix << shift);
  }
  return {prefix, wanted};
}

// Writes the row by chunks, one a warp in order, so that ties are ranked by index.
template <class Key, class T, class Element>
__device__ inline void topk_write_in_block(const TopKBlockMemory& shared, const Element& element,
                                           int64_t row, int length, TopKSelection selection,
                                           const TopKOutput<T>& output) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int warp = static_cast<int>(threadIdx.x / warp_lanes);
  const int warps = static_cast<int>(blockDim.x / warp_lanes);
  const int words = (length + warp_lanes - 1) / warp_lanes;
  const int chunk = (words + warps - 1) / warps * warp_lanes;
  const int begin = ::min(warp * chunk, length), end = ::min(begin + chunk, length);
  uint32_t ties_before = 0;
  if (selection.ties > 0) {
    uint32_t ties = 0;
    for (int i = begin + lane; i < end; i += warp_lanes) {
      ties += Key::of(element(i)) == selection.threshold;
    }
    ties = warp_sum(ties);
    if (lane == 0) shared.warp[warp] = ties;
    __syncthreads();
    for (int before = 0; before < warp; ++before) ties_before += shared.warp[before];
  }
  for (int i = begin; i < end; i += warp_lanes) {
    const ElementBits<T> value = i + lane < length ? element(i + lane) : ElementBits<T>{0};
    topk_write_word<Key>(row, length, i, value, selection, ties_before, output);
  }
}

template <class Key, class T, bool cached>
__global__ void __launch_bounds__(1024)
    topk_block_rows(const ElementBits<T>* x, int length, uint32_t k, TopKOutput<T> output) {
  const int64_t row = blockIdx.x;
  SharedMemory memory;
  const TopKBlockMemory shared{memory.array<uint32_t>(topk_bins),
                               memory.array<uint32_t>(topk_most_warps), memory.array<uint32_t>(3)};
  const ElementBits<T>* from = x + row * length;
  const auto select_and_write = [&](const auto& element) {
    const TopKSelection selection = topk_select_in_block<Key>(shared, element, length, k);
    topk_write_in_block<Key>(shared, element, row, length, selection, output);
  };
  if constexpr (cached) {
    const SharedArray<ElementBits<T>> copy = memory.array<ElementBits<T>>(length);
    for (int i = static_cast<int>(threadIdx.x); i < length; i += blockDim.x) copy[i] = from[i];
    __syncthreads();
    select_and_write([&](int i) -> ElementBits<T> { return copy[i]; });
  } else {
    select_and_write([&](int i) -> ElementBits<T> { return from[i]; });
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
