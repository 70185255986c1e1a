#pragma once

// The launcher of Top-K's selection kernels, for topk.cu and topk_mean_replace.cu.

#include "kernels/cuda/device/topk_channels_last.cuh"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_plan.h"

namespace GESTALT_CUDA_NAMESPACE {

// The rows of one launch.
template <class T>
struct TopKRows {
  const ElementBits<T>* x;
  int64_t count;
  int length;
  uint32_t k;
  TopKOutput<T> output;

  // `rows` of them, from number `first` on.
  TopKRows part(int64_t first, int64_t rows) const {
    TopKRows result = *this;
    result.x += first * length;
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
      {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes}, rows.x,
      rows.count, rows.length, Divisor(static_cast<uint32_t>(rows.length)),
      is_aligned(rows.x) && is_aligned(rows.output.y), rows.k, rows.output);
}

template <class Key, class T>
void launch_topk_warps(Context& context, const char* name, const TopKRows<T>& rows,
                       const TopKPlan& plan) {
  launch(context, name, plan.items == 8 ? topk_warp_rows<Key, T, 8> : topk_warp_rows<Key, T, 32>,
         {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads))}, rows.x, rows.count,
         rows.length, rows.k, rows.output);
}

template <class Key, class T, class Team>
void launch_topk_blocks(Context& context, const char* name, const TopKRows<T>& rows,
                        const TopKPlan& plan) {
  launch(
      context, name, topk_block_rows<Key, T, Team>,
      {dim3(plan.grid), dim3(static_cast<unsigned>(plan.threads)), plan.shared_bytes, plan.blocks},
      rows.x, rows.count, rows.length, plan.stages, rows.k, rows.output);
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
      launch(context, name, topk_long_count<Key, T>, {of_parts, block, plan.shared_bytes}, rows.x,
             shared, digit);
      launch(context, name, topk_long_narrow<Key>, {of_rows, block, plan.shared_bytes}, shared,
             digit);
    }
    launch(context, name, topk_long_ties<Key, T>, {of_parts, block, plan.shared_bytes}, rows.x,
           shared);
    launch(context, name, topk_long_write<Key, T>, {of_parts, block, plan.shared_bytes}, rows.x,
           shared, rows.output);
  }
}

// x: dense [N,C,H,W], not empty. Every row gets its own selection of the k largest keys. Returns
// false where y has not been written, since the key replaces by the mean and the row was never in
// one place: the mask has.
template <class Key, class T>
bool launch_topk(Context& context, const char* name, const View& x, int64_t k,
                 const TopKOutput<T>& output) {
  using Bits = ElementBits<T>;
  const int64_t row_length = x.shape[2] * x.shape[3];
  GESTALT_CHECK(row_length < (int64_t{1} << 31) - (1 << 16),
                "[{}] rows of {} elements are too long", name, row_length);
  const int length = static_cast<int>(row_length), channels = static_cast<int>(x.shape[1]);
  TopKRows<T> rows{x.as<const Bits>(), x.shape[0] * channels, length, static_cast<uint32_t>(k),
                   output};

  if (!x.is_contiguous()) {
    if (Key::replaces_by_mean) rows.output.y = nullptr;
    const int64_t blocks = x.shape[0] * ((channels + warp_lanes - 1) / warp_lanes);
    launch(context, name, topk_channels_last<Key, T>,
           {dim3(static_cast<unsigned>(blocks)), dim3(topk_channel_threads), topk_channel_bytes()},
           rows.x, channels, length, rows.k, rows.output);
    return !Key::replaces_by_mean;
  }
  const TopKDevice device{multiprocessors(context), max_shared_bytes(context),
                          max_cluster_size(context, topk_block_rows<Key, T, TopKCluster>),
                          l2_bytes(context)};
  const TopKPlan plan = topk_plan<Bits>(rows.count, length, device);
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

}  // namespace GESTALT_CUDA_NAMESPACE
