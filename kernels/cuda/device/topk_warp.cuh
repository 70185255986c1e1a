#pragma once

// Top-K of short contiguous rows (up to 1024 elements): a warp a row, by counting in registers.
//
// Floor: x is read once and y written once; the mask adds 1/32 (f32) or 1/16 of a write.
// Neighbouring lanes have neighbouring elements, whole lines of 128 bytes whatever the row's
// alignment; all loads of a row are on the way at once. 16 bytes a lane would save 1.5 of about 30
// instructions an element, and cost as many where mask words are put together. An element takes two
// instructions (f32) or 1.5 a step of the bisection, 5 to 8 steps, and about ten to come and go.

#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_warp_threads = 128;
inline constexpr int topk_warp_most = 1024;  // elements of a row

// Calls f(j, element, kept) for the elements of this lane, in order, with all lanes together.
template <class Key, class T, int items, class F>
__device__ inline void topk_walk_warp(const TopKRegisters<Key, T, items>& elements,
                                      TopKSelection selection, const F& f) {
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  if (selection.ties == 0) {
    elements.for_each([&](int j, ElementBits<T> element) {
      f(j, element, Key::of(element) > selection.threshold);
    });
    return;
  }
  uint32_t before = 0;  // ties
  elements.for_each([&](int j, ElementBits<T> element) {
    const uint32_t key = Key::of(element);
    const bool tie = key == selection.threshold;
    const uint32_t ties = __ballot_sync(full_warp, tie);
    const uint32_t rank = before + __popc(ties & ((1u << lane) - 1));
    before += __popc(ties);
    f(j, element, key > selection.threshold || (tie && rank < selection.ties));
  });
}

template <class Key, class T, int items>
__global__ void __launch_bounds__(topk_warp_threads)
    topk_warp_rows(TopKInput<T> input, int64_t rows, int length, uint32_t k, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (topk_warp_threads / warp_lanes) +
                      threadIdx.x / warp_lanes;
  if (row >= rows) return;
  const int words = (length + warp_lanes - 1) / warp_lanes;
  const Bits* from = input.x + row * length + lane;
  TopKRegisters<Key, T, items> elements(words);
  elements.fill_at_once(
      [&](int j) { return j * warp_lanes + lane < length ? from[j * warp_lanes] : Key::lowest; });
  if (input.prologue.present()) {
    const TopKRectify<T> rectify = input.prologue.of_row(row);
    elements.map([&](int j, Bits element) {
      return j * warp_lanes + lane < length ? rectify(element) : element;
    });
  }
  const TopKSelection selection =
      topk_bisect<Key>([&](uint32_t key) { return warp_sum(elements.count_from(key)); },
                       warp_max(::min(elements.largest(), Key::most)), k);
  Bits mean{0};
  if constexpr (Key::replaces_by_mean) {
    double sum = 0;
    topk_walk_warp(elements, selection, [&](int j, Bits element, bool kept) {
      if (kept && j * warp_lanes + lane < length) sum += load(std::bit_cast<T>(element));
    });
    mean = topk_mean<T>(warp_sum(sum), k);
  }
  Bits* to = output.y + row * length + lane;
  uint32_t word = 0;  // of the mask: lane j has that of the elements j
  topk_walk_warp(elements, selection, [&](int j, Bits element, bool kept) {
    const bool inside = j * warp_lanes + lane < length;
    const bool passed = inside && kept != output.reverse;
    if (inside) to[j * warp_lanes] = topk_result<Key, T>(element, passed, mean, output);
    if (output.mask != nullptr) {
      const uint32_t bits = __ballot_sync(full_warp, passed);
      if (lane == j) word = bits;
    }
  });
  if (output.mask != nullptr && lane < words) output.mask[row * words + lane] = word;
}

}  // namespace GESTALT_CUDA_NAMESPACE
