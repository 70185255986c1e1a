#pragma once

// The launcher of Top-K's selection kernels, for topk.cu and topk_mean_replace.cu.

#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_plan.h"

namespace GESTALT_CUDA_NAMESPACE {

// The rows of one launch.
template <class T>
struct TopKRows {
  TopKInput<T> input;
  int64_t count;
  int length;
  uint32_t k;
  TopKOutput<T> output;

  // `rows` of them, from number `first` on.
  TopKRows part(int64_t first, int64_t rows) const {
    TopKRows result = *this;
    result.input.x += first * length;
    result.input.prologue.first_row += first;
    result.count = rows;
    if (output.y != nullptr) result.output.y += first * length;
    if (output.mask != nullptr) result.output.mask += first * ((length + 31) / 32);
    return result;
  }
};

template <class Key, class T>
void launch_topk_threads(Context& context, const char* name, const TopKRows<T>& rows,
                         const TopKPlan& plan) {
  const auto is_aligned = [](const void* data) {
    return reinterpret_cast<uintptr_t>(data) % 16 == 0;
  };
  launch(
      context, name,
      plan.items == 16 ? topk_thread_rows<Key, T, 16> : topk_thread_rows<Key, T, topk_thread_most>,
      {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes}, rows.input,
      rows.count, rows.length, Divisor(static_cast<uint32_t>(rows.length)),
      is_aligned(rows.input.x) && is_aligned(rows.output.y), rows.k, rows.output);
}

template <class Key, class T>
void launch_topk_warps(Context& context, const char* name, const TopKRows<T>& rows,
                       const TopKPlan& plan) {
  launch(context, name, plan.items == 8 ? topk_warp_rows<Key, T, 8> : topk_warp_rows<Key, T, 32>,
         {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads))}, rows.input, rows.count,
         rows.length, rows.k, rows.output);
}

template <class Key, class T, class Team>
void launch_topk_blocks(Context& context, const char* name, const TopKRows<T>& rows,
                        const TopKPlan& plan) {
  launch(
      context, name, topk_block_rows<Key, T, Team>,
      {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes, plan.blocks},
      rows.input, rows.count, rows.length, plan.stages, rows.k, rows.output);
}

template <class Key, class T>
void launch_topk_long(Context& context, const char* name, const TopKRows<T>& all,
                      const TopKPlan& plan) {
  const int chunks = (all.length + plan.chunk - 1) / plan.chunk;
  const size_t at_once = static_cast<size_t>(plan.rows_at_once);
  const size_t histograms = at_once * topk_bins * sizeof(uint32_t);
  const size_t searches = (at_once * sizeof(TopKSearch) + 255) / 256 * 256;
  auto* memory = static_cast<char*>(context.workspace(
      histograms + searches + at_once * static_cast<size_t>(chunks) * sizeof(uint32_t)));
  const TopKLongRows shared{reinterpret_cast<TopKSearch*>(memory + histograms),
                            reinterpret_cast<uint32_t*>(memory),
                            reinterpret_cast<uint32_t*>(memory + histograms + searches),
                            all.length,
                            chunks,
                            plan.chunk,
                            all.k};
  const dim3 block(static_cast<unsigned>(plan.threads));
  for (int64_t first = 0; first < all.count; first += plan.rows_at_once) {
    const TopKRows<T> rows = all.part(first, std::min(plan.rows_at_once, all.count - first));
    const dim3 of_rows(static_cast<unsigned>(rows.count));
    const dim3 of_parts(static_cast<unsigned>(rows.count * chunks));
    launch(context, name, topk_long_begin<Key>, {of_rows, block}, shared);
    for (int from = Key::bits; from > 0; from = TopKDigit::below(from).shift) {
      const TopKDigit digit = TopKDigit::below(from);
      launch(context, name, topk_long_count<Key, T>, {of_parts, block, plan.shared_bytes},
             rows.input, shared, digit);
      launch(context, name, topk_long_narrow<Key>, {of_rows, block, plan.shared_bytes}, shared,
             digit);
    }
    launch(context, name, topk_long_ties<Key, T>, {of_parts, block, plan.shared_bytes}, rows.input,
           shared);
    launch(context, name, topk_long_write<Key, T>, {of_parts, block, plan.shared_bytes}, rows.input,
           shared, rows.output);
  }
}

inline TopKDevice topk_device(const Context& context, int most_blocks) {
  return {multiprocessors(context), max_shared_bytes(context), most_blocks, l2_bytes(context)};
}

// Without clusters where the device has them but no room for one of the size that the rows ask for
// (a slice of a GPU, or a share).
template <class Key, class T>
TopKPlan topk_rows_plan(Context& context, int64_t rows, int length) {
  const int most_blocks = length <= topk_warp_most
                              ? 1
                              : max_cluster_size(context, topk_block_rows<Key, T, TopKCluster>);
  TopKDevice device = topk_device(context, most_blocks);
  TopKPlan plan = topk_plan<ElementBits<T>>(rows, length, device);
  if (plan.kernel != TopKKernel::cluster) return plan;
  const int active = max_active_clusters(context, topk_block_rows<Key, T, TopKCluster>, plan.blocks,
                                         plan.threads, plan.shared_bytes);
  if (active == 0) {
    device.most_blocks = 1;
    return topk_plan<ElementBits<T>>(rows, length, device);
  }
  // Not more than run at once: one that waited for the first to walk all of its rows would double
  // the time.
  if (plan.stages > 1) plan.grid = std::min(plan.grid, static_cast<unsigned>(active) * plan.blocks);
  return plan;
}

// As launch_topk.
template <class Key, class T>
bool launch_topk_rows(Context& context, const char* name, TopKRows<T> rows) {
  const TopKPlan plan = topk_rows_plan<Key, T>(context, rows.count, rows.length);
  switch (plan.kernel) {
    case TopKKernel::thread:
      launch_topk_threads<Key>(context, name, rows, plan);
      return true;
    case TopKKernel::warp:
      launch_topk_warps<Key>(context, name, rows, plan);
      return true;
    case TopKKernel::block:
      launch_topk_blocks<Key, T, TopKAlone>(context, name, rows, plan);
      return true;
    case TopKKernel::cluster:
      launch_topk_blocks<Key, T, TopKCluster>(context, name, rows, plan);
      return true;
    case TopKKernel::long_rows:
      if (Key::replaces_by_mean) rows.output.y = nullptr;
      launch_topk_long<Key>(context, name, rows, plan);
      return !Key::replaces_by_mean;
  }
  return false;
}

template <class Key, class T>
void launch_topk_tiles(Context& context, const char* name, const TopKRows<T>& rows, int channels) {
  const TopKTilePlan plan = topk_tile_plan<Key, T>(rows.length, topk_device(context, 1));
  const int64_t tiles = (channels + topk_tile_channels<T> - 1) / topk_tile_channels<T>;
  launch(context, name,
         plan.cached ? topk_channels_last<Key, T, true> : topk_channels_last<Key, T, false>,
         {dim3(static_cast<unsigned>(rows.count / channels * tiles)),
          dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes},
         rows.input, channels, rows.length, plan.digit_bits, rows.k, rows.output);
}

// x: dense [N,C,H,W], not empty. Every row gets its own selection of the k largest keys. Returns
// false where y has not been written, since the key replaces by the mean and the row was never in
// one place: the mask has.
template <class Key, class T>
bool launch_topk(Context& context, const char* name, const View& x, int64_t k,
                 const TopKOutput<T>& output, const TopKPrologue<T>& prologue = {}) {
  const int64_t length = x.shape[2] * x.shape[3], channels = x.shape[1];
  GESTALT_CHECK(length < (int64_t{1} << 31) - (1 << 16), "[{}] rows of {} elements are too long",
                name, length);
  const TopKRows<T> rows{{x.as<const ElementBits<T>>(), prologue},
                         x.shape[0] * channels,
                         static_cast<int>(length),
                         static_cast<uint32_t>(k),
                         output};
  if (x.is_contiguous()) return launch_topk_rows<Key>(context, name, rows);
  launch_topk_tiles<Key>(context, name, rows, static_cast<int>(channels));
  return true;
}

}  // namespace GESTALT_CUDA_NAMESPACE
