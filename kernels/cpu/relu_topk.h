#pragma once

// relu_topk<T>(x, y, desc, map): y = topk(relu(map(x))), x and y dense [N,C,H,W], y may be x. Each
// row is mapped and rectified on its way into the cache and selected there, so that memory sees one
// read and one write, as of Top-K alone.
//
// map.at(channel) is a function from an element to an element: both steps are rounded to T, as
// separate ops do.

#include <bit>
#include <memory>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/topk_tiles.h"

namespace gestalt::cpu {

// As the kernel `relu`: NaN stays NaN, -0 stays -0. Halves are compared as the integers that they
// are: an f16 is slow to convert.
template <class T>
T rectified(T x) {
  if constexpr (sizeof(T) == 2) {
    using Key = TopKKey<T>;
    constexpr uint16_t sign = Key::magnitude + 1;
    const uint16_t bits = std::bit_cast<uint16_t>(x);
    const auto beyond_minus_0 = static_cast<uint16_t>(bits - (sign + 1));
    return beyond_minus_0 < Key::infinity ? std::bit_cast<T>(uint16_t{0}) : x;
  } else {
    return x < 0 ? T(0) : x;
  }
}

template <class T>
struct Identity {
  const Identity& at(int64_t) const { return *this; }
  T operator()(T x) const { return x; }
};

template <class T, class Map>
void relu_topk_rows(const View& x, const View& y, const TopKDesc& desc, const Map& map) {
  const int64_t channels = x.shape[1];
  const int64_t length = x.shape[2] * x.shape[3];
  const bool stream = y.numel() * size_of(y.dtype) >= stream_bytes;
  parallel_for(x.shape[0] * channels, 1 + 16384 / length, [&](int64_t begin, int64_t end) {
    TopKRowWorker<T> worker(length);
    const std::unique_ptr<T[]> staged(new T[static_cast<size_t>(length)]);
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x.as<T>() + row * length;
      const auto map_row = map.at(row % channels);
      for (int64_t i = 0; i < length; ++i) staged[i] = rectified(map_row(in[i]));
      worker.select(staged.get(), desc, stream, y.as<T>() + row * length, nullptr);
    }
  });
}

// A tile is rectified into y, and selected there while it is in the cache.
template <class T, class Map>
void relu_topk_channels_last(const View& x, const View& y, const TopKDesc& desc, const Map& map) {
  const ChannelTiles<T> tiles(x);
  parallel_for(tiles.count(), 1, [&](int64_t begin, int64_t end) {
    TopKTileWorker<T> worker(tiles.pixels);
    for (int64_t index = begin; index < end; ++index) {
      const auto tile = tiles[index];
      const T* in = x.as<T>() + tile.offset;
      T* out = y.as<T>() + tile.offset;
      for (int64_t p = 0; p < tiles.pixels; ++p) {
        for (int64_t c = 0; c < tile.width; ++c) {
          const int64_t i = p * tiles.channels + c;
          out[i] = rectified(map.at(tile.channel + c)(in[i]));
        }
      }
      worker.run(out, tiles.channels, tile.width, desc, out, nullptr);
    }
  });
}

template <class T, class Map>
void relu_topk(const View& x, const View& y, const TopKDesc& desc, const Map& map) {
  if (x.numel() == 0) return;
  if (x.is_contiguous()) {
    relu_topk_rows<T>(x, y, desc, map);
  } else {
    relu_topk_channels_last<T>(x, y, desc, map);
  }
}

}  // namespace gestalt::cpu
