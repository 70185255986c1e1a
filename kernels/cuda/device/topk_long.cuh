#pragma once

// Top-K of contiguous rows that no cluster holds: many blocks a row, several kernels, each of
// which reads the row again.
//
// Floor: one read and one write of x. This reads up to five times (f32; 16 bits: four), from L2
// where the rows on the way fit there, else from memory; a digit that decides ends the reading, and
// ties alone need their own. A row's histograms, in memory, add at most 3.5 % of it.

#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_radix.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_long_threads = 512;

// What the kernels leave to each other.
struct TopKLongRows {
  TopKSearch* search;   // [rows]
  uint32_t* histogram;  // [rows, topk_bins]
  uint32_t* ties;       // [rows, chunks]
  int length, chunks;   // of a row; chunks of `chunk` elements, a multiple of 32
  int chunk;
  uint32_t k;
};

// A block's part of its row.
struct TopKLongPart {
  int64_t row;
  int first, count;

  __device__ explicit TopKLongPart(const TopKLongRows& rows)
      : row(blockIdx.x / rows.chunks),
        first(static_cast<int>(blockIdx.x % rows.chunks) * rows.chunk),
        count(::min(rows.chunk, rows.length - first)) {}
};

// The elements to select from, of a part of a row.
template <class T>
struct TopKLongElements {
  const ElementBits<T>* x;
  bool rectifies;
  TopKRectify<T> rectify;

  __device__ TopKLongElements(const TopKInput<T>& input, int64_t row, int64_t offset)
      : x(input.x + offset), rectifies(input.prologue.present()) {
    if (rectifies) rectify = input.prologue.of_row(row);
  }
  __device__ ElementBits<T> operator()(int i) const { return rectifies ? rectify(x[i]) : x[i]; }
};

// A block a row. (A template, so that several files may have it.)
template <class Key>
__global__ void __launch_bounds__(topk_long_threads) topk_long_begin(TopKLongRows rows) {
  const int64_t row = blockIdx.x;
  for (int bin = static_cast<int>(threadIdx.x); bin < topk_bins; bin += topk_long_threads) {
    rows.histogram[row * topk_bins + bin] = 0;
  }
  if (threadIdx.x == 0) rows.search[row] = {0, rows.k, false, {0, 0}};
}

// Adds the part's keys that still may be the k-th largest to the row's histogram. A block a part.
template <class Key, class T>
__global__ void __launch_bounds__(topk_long_threads)
    topk_long_count(TopKInput<T> input, TopKLongRows rows, TopKDigit digit) {
  const TopKLongPart part(rows);
  const TopKSearch search = rows.search[part.row];
  if (search.done) return;
  SharedMemory memory;
  const TopKBlockMemory shared(memory);
  topk_clear(shared);
  const bool all = digit.from == Key::bits;
  const TopKLongElements<T> elements(input, part.row, part.row * rows.length + part.first);
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < part.count; i += topk_long_threads) {
    const uint32_t key = Key::raw(elements(i));
    if (key != 0 && (all || key >> digit.from == search.prefix)) {
      atomicAdd(shared.histogram + digit.of(key), 1u);
    }
  }
  __syncthreads();
  for (int bin = static_cast<int>(threadIdx.x); bin < topk_bins; bin += topk_long_threads) {
    const uint32_t count = shared.histogram[bin];
    if (count != 0) atomicAdd(rows.histogram + part.row * topk_bins + bin, count);
  }
}

// Takes the digit from the row's histogram, and clears that. A block a row.
template <class Key>
__global__ void __launch_bounds__(topk_long_threads)
    topk_long_narrow(TopKLongRows rows, TopKDigit digit) {
  const int64_t row = blockIdx.x;
  const TopKSearch search = rows.search[row];
  if (search.done) return;
  SharedMemory memory;
  const TopKBlockMemory shared(memory);
  for (int bin = static_cast<int>(threadIdx.x); bin < topk_bins; bin += topk_long_threads) {
    uint32_t& count = rows.histogram[row * topk_bins + bin];
    shared.histogram[bin] = count;
    count = 0;
  }
  __syncthreads();
  const TopKBin bin = topk_find_bin(shared, search.wanted);
  if (threadIdx.x == 0) {
    rows.search[row] = topk_narrow<Key>(search, digit, bin, rows.k);
  }
}

// The part's ties, where any are to be ranked. A block a part.
template <class Key, class T>
__global__ void __launch_bounds__(topk_long_threads)
    topk_long_ties(TopKInput<T> input, TopKLongRows rows) {
  const TopKLongPart part(rows);
  const TopKSelection selection = rows.search[part.row].selection;
  if (selection.ties == 0) return;
  const TopKLongElements<T> elements(input, part.row, part.row * rows.length + part.first);
  uint32_t ties = 0;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < part.count; i += topk_long_threads) {
    ties += Key::of(elements(i)) == selection.threshold;
  }
  SharedMemory memory;
  const TopKBlockMemory shared(memory);
  ties = warp_sum(ties);
  if (threadIdx.x % warp_lanes == 0) shared.warp[threadIdx.x / warp_lanes] = ties;
  __syncthreads();
  if (threadIdx.x != 0) return;
  uint32_t sum = 0;
  for (int warp = 0; warp < topk_long_threads / warp_lanes; ++warp) sum += shared.warp[warp];
  rows.ties[blockIdx.x] = sum;
}

// A block a part. Writes y where it is not null, and the mask.
template <class Key, class T>
__global__ void __launch_bounds__(topk_long_threads)
    topk_long_write(TopKInput<T> input, TopKLongRows rows, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  const TopKLongPart part(rows);
  const TopKSelection selection = rows.search[part.row].selection;
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  SharedMemory memory;
  const TopKBlockMemory shared(memory);
  uint32_t before = 0;
  if (selection.ties != 0) {  // each warp adds up all: chunks are few
    const int64_t first = part.row * rows.chunks;
    for (int64_t i = first + lane; i < blockIdx.x; i += warp_lanes) before += rows.ties[i];
    before = warp_sum(before);
  }
  const int64_t offset = part.row * rows.length + part.first;
  const TopKLongElements<T> elements(input, part.row, offset);
  const TopKChunk chunk = TopKChunk::of_warp(part.count);
  const TopKChunkSelection of_chunk = topk_share_ties<Key>(
      shared,
      [&](const auto& f) {
        for (int i = chunk.begin + lane; i < chunk.end; i += warp_lanes) f(elements(i));
      },
      selection, before);
  topk_write_chunk<Key, T>(
      chunk, elements, of_chunk, output,
      output.mask == nullptr ? nullptr
                             : output.mask + part.row * ((rows.length + 31) / 32) + part.first / 32,
      [&](int i, Bits y) {
        if (output.y != nullptr) output.y[offset + i] = y;
      });
}

}  // namespace GESTALT_CUDA_NAMESPACE
