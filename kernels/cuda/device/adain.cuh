#pragma once

// AdaIN in one launch, where a block holds a group of the content in its registers.

#include "kernels/cuda/device/normalize.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// 16 elements a thread, and 64 registers.
inline constexpr int adain_threads = 1024;

// The style: an array, whose statistics are found, or those alone.
template <class T>
struct AdainStyle {
  ImageRows rows;
  ChannelStats<T> stats;  // x null: mean and deviation are given
  bool packs, aligned;    // rows are whole packs of 16 bytes; x is aligned to that
};

// Statistics of content and style, and out = (x - mean) / deviation * style deviation + style mean.
// The style comes first, so that its sums need no registers beside the content. The first thread
// finishes the sums, as f64 is slow on most devices, and hands the block what it needs. Grid:
// groups. Floor: one read of content and style, one write.
template <int size, class T>
__global__ void __launch_bounds__(adain_threads)
    adain_held(ImageRows rows, bool aligned, ChannelStats<T> content, AdainStyle<T> style, T* out) {
  const int64_t group = blockIdx.x;
  SharedMemory shared;
  const SharedArray<double> sums = shared.array<double>(2 * warp_lanes);
  const SharedArray<double> style_sums = shared.array<double>(2 * warp_lanes);
  const SharedArray<float> of_group = shared.array<float>(3);
  if (style.stats.x != nullptr) {
    const int64_t origin = style.rows.origin(group);
    const auto of = style.stats.of(group, origin);
    double a = 0, b = 0;
    const auto add = [&](auto packs) {
      sums_of_row<packs()>(style.rows, style.aligned, style.stats, of, origin, 0, style.rows.count,
                           static_cast<int>(blockDim.x), a, b);
    };
    if (style.packs) {
      add(std::integral_constant<int, 16 / sizeof(T)>{});
    } else {
      add(std::integral_constant<int, 1>{});
    }
    block_sums(style_sums, a, b);
    if (threadIdx.x == 0) style.stats.finish(group, origin, a, b);
  }
  const HeldGroup<size, ChannelStats<T>, ImageRows> held(rows, aligned, content, group);
  double a = 0, b = 0;
  held.sums(content, content.of(group, held.origin()), a, b);
  block_sums(sums, a, b);
  if (threadIdx.x == 0) {
    content.finish(group, held.origin(), a, b);
    of_group[0] = content.mean[group];
    of_group[1] = style.stats.deviation[group] / content.deviation[group];
    of_group[2] = style.stats.mean[group];
  }
  __syncthreads();
  const Affine<T, AdainSlope> map{content.x, out, {}, {}, {}};
  held.map(map, typename Affine<T, AdainSlope>::Of{of_group[0], 0.0f, of_group[1], of_group[2]});
}

}  // namespace GESTALT_CUDA_NAMESPACE
