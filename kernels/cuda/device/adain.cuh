#pragma once

// AdaIN in one launch, where a block holds a group of the content in its registers, and channel
// statistics of groups of that size.

#include "kernels/cuda/device/normalize.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// 16 elements a thread, and 64 registers.
inline constexpr int adain_threads = 1024;

// This thread's share of a row's sums. By as many threads as hold the row, whatever the block has,
// so that the statistics of an array have the same bits in each of the kernels below.
template <int size, class T>
__device__ inline void sums_of_image_row(const ImageRows& rows, bool aligned,
                                         const ChannelStats<T>& stats, int64_t group, double& a,
                                         double& b) {
  const int threads = threads_to_hold(rows.count);
  if (static_cast<int>(threadIdx.x) >= threads) return;
  const int64_t origin = rows.origin(group);
  sums_of_row<size>(rows, aligned, stats, stats.of(group, origin), origin, 0, rows.count, threads,
                    a, b);
}

// Grid: groups. Floor: one read.
template <int size, class T>
__global__ void __launch_bounds__(adain_threads)
    channel_stats_held(ImageRows rows, bool aligned, ChannelStats<T> stats) {
  const int64_t group = blockIdx.x;
  double a = 0, b = 0;
  sums_of_image_row<size>(rows, aligned, stats, group, a, b);
  SharedMemory shared;
  block_sums(shared.array<double>(2 * warp_lanes), a, b);
  if (threadIdx.x == 0) stats.finish(group, rows.origin(group), a, b);
}

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
    double a = 0, b = 0;
    if (style.packs) {
      sums_of_image_row<16 / sizeof(T)>(style.rows, style.aligned, style.stats, group, a, b);
    } else {
      sums_of_image_row<1>(style.rows, style.aligned, style.stats, group, a, b);
    }
    block_sums(style_sums, a, b);
    if (threadIdx.x == 0) style.stats.finish(group, style.rows.origin(group), a, b);
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
