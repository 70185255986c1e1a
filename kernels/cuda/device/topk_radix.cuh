#pragma once

// Top-K's selection by digits, for blocks that see their rows several times (topk_long.cuh): a
// histogram of the keys' upper 11 bits, one of the next 11 among the keys that share the first
// digit with the k-th largest, one of the rest (f32: 11, 11, 9 bits; 16 bits: 11, 4). The first
// leaves a few percent of Gaussian or rectified rows; 8 bits, the exponent alone, would leave a
// quarter and make the lanes of a warp meet in few bins. Zeros, often most of a row behind a ReLU,
// are not counted at all.

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_key.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_digit_bits = 11;
inline constexpr int topk_bins = 1 << topk_digit_bits;
inline constexpr int topk_most_warps = 32;

struct TopKBlockMemory {
  SharedArray<uint32_t> histogram;  // [topk_bins]
  SharedArray<uint32_t> warp;       // [topk_most_warps]
  SharedArray<uint32_t> found;      // [3]

  static constexpr size_t bytes = shared_size<uint32_t>(topk_bins) +
                                  shared_size<uint32_t>(topk_most_warps) + shared_size<uint32_t>(3);

  __device__ explicit TopKBlockMemory(SharedMemory& memory)
      : histogram(memory.array<uint32_t>(topk_bins)),
        warp(memory.array<uint32_t>(topk_most_warps)),
        found(memory.array<uint32_t>(3)) {}
};

// The digit that lies below the bits from `from` up.
struct TopKDigit {
  int from, shift, mask;
  __device__ static constexpr TopKDigit below(int from) {
    const int width = from < topk_digit_bits ? from : topk_digit_bits;
    return {from, from - width, (1 << width) - 1};
  }
  __device__ constexpr uint32_t of(uint32_t key) const {
    return (key >> shift) & static_cast<uint32_t>(mask);
  }
};

// How far a selection has come: the k-th largest key has the upper bits `prefix`, and `wanted` of
// the keys that share them are kept.
struct TopKSearch {
  uint32_t prefix, wanted;
  bool done;
  TopKSelection selection;  // where done
};

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
  if (owner == warps) return {0, above, 0, false};
  return {shared.found[0], shared.found[1], shared.found[2], true};
}

// The next state of a search whose digit's histogram is complete.
template <class Key>
__device__ inline TopKSearch topk_narrow(const TopKSearch& search, TopKDigit digit, TopKBin bin,
                                         uint32_t k) {
  TopKSearch next = search;
  next.wanted -= bin.above;
  next.done = true;
  if (!bin.exists) {  // fewer than k are not zero
    next.selection = {0, next.wanted};
    return next;
  }
  next.prefix = search.prefix * static_cast<uint32_t>(digit.mask + 1) + bin.bin;
  if (bin.count == next.wanted) {
    next.selection = keys_from(next.prefix << digit.shift);
  } else if (digit.shift == 0) {
    next.selection = {next.prefix, next.wanted};
  } else {
    next.done = false;
  }
  // Keys are counted raw: NaNs are told apart there, and tie.
  if (next.done && next.selection.threshold >= Key::most) next.selection = {Key::most, k};
  return next;
}

__device__ inline void topk_clear(const TopKBlockMemory& shared) {
  for (int bin = static_cast<int>(threadIdx.x); bin < topk_bins; bin += blockDim.x) {
    shared.histogram[bin] = 0;
  }
  __syncthreads();
}

// ---- writing ----

// The elements of a part of a row that a warp writes: [begin, end), begin a multiple of 32.
struct TopKChunk {
  int begin, end;

  // The calling warp's, of `length` elements; in order, so that ties are ranked by index.
  __device__ static TopKChunk of_warp(int length) {
    const int warp = static_cast<int>(threadIdx.x / warp_lanes);
    const int warps = static_cast<int>(blockDim.x / warp_lanes);
    const int words = (length + warp_lanes - 1) / warp_lanes;
    const int size = (words + warps - 1) / warps * warp_lanes;
    const int begin = ::min(warp * size, length);
    return {begin, ::min(begin + size, length)};
  }
};

// A selection as it is for one chunk. Only in the chunk where the last kept tie lies are ties
// ranked; before it all are kept, behind it none.
struct TopKChunkSelection {
  uint32_t lowest;  // kept: keys from here up
  uint32_t ties;    // and of those that are one less, the first so many
};

__device__ inline TopKChunkSelection topk_of_chunk(TopKSelection selection, uint32_t before,
                                                   uint32_t own) {
  if (before >= selection.ties) return {selection.threshold + 1, 0};
  if (before + own <= selection.ties) return {selection.threshold, 0};
  return {selection.threshold + 1, selection.ties - before};
}

// visit_chunk(f): f(element) for this lane's share of the warp's chunk. before: ties of the row
// before the block's part.
template <class Key, class Visit>
__device__ inline TopKChunkSelection topk_share_ties(const TopKBlockMemory& shared,
                                                     const Visit& visit_chunk,
                                                     TopKSelection selection, uint32_t before) {
  if (selection.ties == 0) return {selection.threshold + 1, 0};
  const int warp = static_cast<int>(threadIdx.x / warp_lanes);
  uint32_t own = 0;
  visit_chunk([&](auto element) { own += Key::of(element) == selection.threshold; });
  own = warp_sum(own);
  if (threadIdx.x % warp_lanes == 0) shared.warp[warp] = own;
  __syncthreads();
  for (int other = 0; other < warp; ++other) before += shared.warp[other];
  return topk_of_chunk(selection, before, own);
}

// store(i, y) for every element of the warp's chunk; words: the mask's for the block's part of the
// row, or null.
template <class Key, class T, class Element, class Store>
__device__ inline void topk_write_chunk(TopKChunk chunk, const Element& element,
                                        TopKChunkSelection selection, const TopKOutput<T>& output,
                                        uint32_t* words, const Store& store) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const bool ranks = selection.ties != 0;
  uint32_t before = 0;  // ties
  for (int i = chunk.begin + lane; i - lane < chunk.end; i += warp_lanes) {
    const bool inside = i < chunk.end;
    const auto value = inside ? element(i) : Key::lowest;
    const uint32_t key = Key::of(value);
    bool kept = key >= selection.lowest;
    if (ranks) {
      const bool tie = inside && key + 1 == selection.lowest;
      const uint32_t ties = __ballot_sync(full_warp, tie);
      const uint32_t rank = before + __popc(ties & ((1u << lane) - 1));
      before += __popc(ties);
      kept = kept || (tie && rank < selection.ties);
    }
    const bool passed = inside && kept != output.reverse;
    if (inside) store(i, topk_result<Key, T>(value, passed, ElementBits<T>{0}, output));
    if (words != nullptr) {
      const uint32_t word = __ballot_sync(full_warp, passed);
      if (lane == 0) words[i / 32] = word;
    }
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
