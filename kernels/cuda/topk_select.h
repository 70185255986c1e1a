#pragma once

// The launcher of Top-K's selection kernels, for topk.cu and topk_mean_replace.cu.

#include "kernels/cuda/device/topk_channels_last.cuh"
#include "kernels/cuda/device/topk_rows.cuh"
#include "kernels/cuda/device/topk_thread.cuh"
#include "kernels/cuda/device/topk_warp.cuh"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/launch.h"

namespace GESTALT_CUDA_NAMESPACE {

// x: dense [N,C,H,W], not empty. Every row gets its own selection of the k largest keys.
template <class Key, class T>
void launch_topk(Context& context, const char* name, const View& x, int64_t k,
                 const TopKOutput<T>& output) {
  using Bits = ElementBits<T>;
  const int64_t rows = x.shape[0] * x.shape[1], row_length = x.shape[2] * x.shape[3];
  GESTALT_CHECK(row_length < (int64_t{1} << 31) - 64, "[{}] rows of {} elements are too long", name,
                row_length);
  const int length = static_cast<int>(row_length), channels = static_cast<int>(x.shape[1]);
  const auto wanted = static_cast<uint32_t>(k);
  const auto* from = x.as<const Bits>();

  if (!x.is_contiguous()) {
    const int64_t blocks = x.shape[0] * ((channels + warp_lanes - 1) / warp_lanes);
    launch(context, name, topk_channels_last<Key, T>,
           {dim3(static_cast<unsigned>(blocks)), dim3(topk_channel_threads), topk_channel_bytes()},
           from, channels, length, wanted, output);
    return;
  }
  if (length <= topk_thread_most) {
    const auto is_aligned = [](const void* data) {
      return reinterpret_cast<uintptr_t>(data) % 16 == 0;
    };
    const int64_t blocks = (rows + topk_thread_block - 1) / topk_thread_block;
    const auto thread_rows = [&](auto* kernel) {
      launch(
          context, name, kernel,
          {dim3(static_cast<unsigned>(blocks)), dim3(topk_thread_block), topk_thread_bytes(length)},
          from, rows, length, Divisor(static_cast<uint32_t>(length)),
          is_aligned(from) && is_aligned(output.y), wanted, output);
    };
    return length <= 16 ? thread_rows(topk_thread_rows<Key, T, 16>)
                        : thread_rows(topk_thread_rows<Key, T, topk_thread_most>);
  }
  const auto warp_rows = [&](auto* kernel) {
    constexpr int rows_of_block = topk_warp_threads / warp_lanes;
    const int64_t blocks = (rows + rows_of_block - 1) / rows_of_block;
    launch(context, name, kernel, {dim3(static_cast<unsigned>(blocks)), dim3(topk_warp_threads)},
           from, rows, length, wanted, output);
  };
  if (length <= 8 * warp_lanes) return warp_rows(topk_warp_rows<Key, T, 8>);
  if (length <= 32 * warp_lanes) return warp_rows(topk_warp_rows<Key, T, 32>);

  const auto block_rows = [&](auto* kernel, size_t bytes) {
    const int threads = length <= 4096 ? 256 : length <= 16384 ? 512 : 1024;
    launch(context, name, kernel, {dim3(static_cast<unsigned>(rows)), dim3(threads), bytes}, from,
           length, wanted, output);
  };
  const size_t with_row = topk_block_bytes() + shared_size<Bits>(length);
  if (with_row <= max_shared_bytes(context)) {
    block_rows(topk_block_rows<Key, T, true>, with_row);
  } else {
    block_rows(topk_block_rows<Key, T, false>, topk_block_bytes());
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
