#pragma once

// Max pooling of channels-last [N, C, H, W] and its gradient, 16 bytes of channels a thread, with
// places in a window of at most 256 in one byte. The same bits as MaxPool and MaxPoolBackward.
//
// Floor: x is read once, y and a byte for each of its elements are written; backward these are read
// and dx written. ResNet-18's 3x3 of stride 2, bf16, [128, 64, 112, 112]: 282 MB either way, where
// indices of 8 bytes made 462 forward and more backward, which reads them for each window that sees
// a pixel. Forward some 6 instructions for each channel of each of 9 pixels, backward 4 for each
// channel of each of 1 to 4 windows: less time than the memory takes.

#include <cstdint>
#include <limits>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/pool.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

template <class T>
inline constexpr int pool_pack = 16 / sizeof(T);  // elements
inline constexpr int pool_pack_threads = 256;

// The packs of a channels-last array in their order in memory, one a thread.
struct PixelPacks {
  int count;
  Divisor channels, width, height;  // packs of a pixel, pixels of a row, rows of an image

  // image: channels-last, not empty, at most Divisor::most elements, C a multiple of `pack`.
  PixelPacks(const View& image, int pack)
      : count(static_cast<int>(image.numel() / pack)),
        channels(static_cast<uint32_t>(image.shape[1] / pack)),
        width(static_cast<uint32_t>(image.shape[3])),
        height(static_cast<uint32_t>(image.shape[2])) {}

  struct Position {
    int n, h, w, pack;
  };
  __device__ Position position(int number) const {
    const auto split = [](uint32_t& rest, const Divisor& by) {
      const uint32_t quotient = by.divide(rest), remainder = rest - quotient * by.divisor;
      rest = quotient;
      return static_cast<int>(remainder);
    };
    Position at;
    uint32_t rest = static_cast<uint32_t>(number);
    at.pack = split(rest, channels);
    at.w = split(rest, width);
    at.h = split(rest, height);
    at.n = static_cast<int>(rest);
    return at;
  }
};

// `packs` are y's. `indices` may be null.
template <class T, int size>
__global__ void __launch_bounds__(pool_pack_threads)
    max_pool_packs(PixelPacks packs, PoolAxis rows, PoolAxis columns, const Pack<T, size>* x,
                   Pack<T, size>* y, Pack<uint8_t, size>* indices) {
  constexpr int together = 3;  // pixels of a row that are on their way at once
  const int64_t number = thread_number();
  if (number >= packs.count) return;
  const auto [n, oh, ow, pack] = packs.position(static_cast<int>(number));
  const int pixel_packs = static_cast<int>(packs.channels.divisor);
  const Range h_range = rows.window(oh), w_range = columns.window(ow);
  const int first_h = rows.first(oh), first_w = columns.first(ow);
  float most[size];
  int best[size];
  for (int k = 0; k < size; ++k) {
    most[k] = -std::numeric_limits<float>::infinity();
    best[k] = (h_range.begin - first_h) * columns.kernel + w_range.begin - first_w;
  }
  for (int h = h_range.begin; h < h_range.end; ++h) {
    const int row = (n * rows.size + h) * columns.size;
    const int place = (h - first_h) * columns.kernel - first_w;
    for (int w = w_range.begin; w < w_range.end; w += together) {
      // The last pixel stands for those beyond it: a second time it changes nothing.
      int column[together];
      Pack<T, size> values[together];
#pragma unroll
      for (int j = 0; j < together; ++j) {
        column[j] = ::min(w + j, w_range.end - 1);
        values[j] = x[(row + column[j]) * pixel_packs + pack];
      }
#pragma unroll
      for (int j = 0; j < together; ++j) {
        for (int k = 0; k < size; ++k) {
          const float value = load(values[j].value[k]);
          if (exceeds(value, most[k])) {
            most[k] = value;
            best[k] = place + column[j];
          }
        }
      }
    }
  }
  Pack<T, size> result;
  for (int k = 0; k < size; ++k) result.value[k] = store<T>(most[k]);
  y[number] = result;
  if (indices != nullptr) {
    Pack<uint8_t, size> places;
    for (int k = 0; k < size; ++k) places.value[k] = static_cast<uint8_t>(best[k]);
    indices[number] = places;
  }
}

// `packs` are dx's. A place is compared in the word that it was read in, which spares taking it
// out.
template <class T, int size>
__global__ void __launch_bounds__(pool_pack_threads)
    max_pool_backward_packs(PixelPacks packs, PoolAxis rows, PoolAxis columns,
                            const Pack<T, size>* dy, const Pack<uint32_t, size / 4>* indices,
                            Pack<T, size>* dx) {
  const int64_t number = thread_number();
  if (number >= packs.count) return;
  const auto [n, h, w, pack] = packs.position(static_cast<int>(number));
  const int pixel_packs = static_cast<int>(packs.channels.divisor);
  const Range oh_range = rows.seen_by(h), ow_range = columns.seen_by(w);
  float sum[size] = {};
  for (int oh = oh_range.begin; oh < oh_range.end; ++oh) {
    const int row = (n * rows.outputs + oh) * columns.outputs;
    const int place_of_row = (h - rows.first(oh)) * columns.kernel + w;
    for (int ow = ow_range.begin; ow < ow_range.end; ++ow) {
      const int from = (row + ow) * pixel_packs + pack;
      const Pack<uint32_t, size / 4> places = indices[from];
      const Pack<T, size> gradient = dy[from];
      const uint32_t place = static_cast<uint32_t>(place_of_row - columns.first(ow)) * 0x01010101u;
      for (int k = 0; k < size; ++k) {
        const uint32_t byte = 0xffu << (8 * (k % 4));
        if (((places.value[k / 4] ^ place) & byte) == 0) sum[k] += load(gradient.value[k]);
      }
    }
  }
  Pack<T, size> result;
  for (int k = 0; k < size; ++k) result.value[k] = store<T>(sum[k]);
  dx[number] = result;
}

}  // namespace GESTALT_CUDA_NAMESPACE
