#pragma once

// relu_topk<T>(x, y, desc, map): y = topk(relu(map(x))), x and y dense [N,C,H,W], y may be x. Each
// row is mapped and rectified on its way into the cache and selected there, so that memory sees no
// more than of Top-K alone. Each step is rounded to T, as separate ops do.

#include <memory>
#include <vector>

#include "kernels/cpu/channel_map.h"
#include "kernels/cpu/topk_tiles.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {

template <class T, class Map>
void map_topk_rows(const View& x, const View& y, const TopKDesc& desc, const Map& map) {
  const int64_t channels = x.shape[1];
  const int64_t length = x.shape[2] * x.shape[3];
  const bool stream = y.numel() * size_of(y.dtype) >= stream_bytes;
  parallel_for(x.shape[0] * channels, 1 + 16384 / length, [&](int64_t begin, int64_t end) {
    TopKRowWorker<T> worker(length);
    const std::unique_ptr<T[]> staged(new T[static_cast<size_t>(length)]);
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x.as<T>() + row * length;
      map_row<T>(map.at(row % channels), in, length, staged.get());
      worker.select(staged.get(), desc, stream, y.as<T>() + row * length, nullptr);
    }
  });
}

template <class T, class Map>
void relu_topk(const View& x, const View& y, const TopKDesc& desc, const Map& map) {
  if (x.numel() == 0) return;
  const Rectified<T, Map> rectify{map};
  if (x.is_contiguous()) return map_topk_rows<T>(x, y, desc, rectify);
  std::vector<uint8_t> masks(x.shape[0] * x.shape[1] * mask_bytes(x.shape[2] * x.shape[3]));
  select_channels_last<T>(x, desc, rectify, masks.data());
  write_channels_last<T>(x, masks.data(), 1, rectify, y);
}

}  // namespace gestalt::cpu
