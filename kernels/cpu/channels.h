#pragma once

// Loops over dense [N,C,H,W] views by rows (n, c) of H*W elements, in either memory format.
// `offset` is an element's place in memory, the same for all views of that shape and format.

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/types.h"

namespace gestalt::cpu {

// sums[n * C + c] = sum over the row of f(n, c, offset), an array of `count` doubles. The order of
// the sum depends on the shape and format alone.
template <int count, class F>
std::vector<std::array<double, count>> sum_channels(const View& like, const F& f) {
  const int64_t channels = like.shape[1];
  const int64_t length = like.shape[2] * like.shape[3];
  const int64_t rows = like.shape[0] * channels;
  std::vector<std::array<double, count>> sums(rows, std::array<double, count>{});
  constexpr int lanes = 8;
  if (like.is_contiguous()) {
    parallel_for(rows, 1 + 16384 / std::max<int64_t>(length, 1), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        std::array<std::array<double, lanes>, count> lane{};
        const int64_t n = r / channels, c = r % channels, base = r * length;
        int64_t i = 0;
        for (; i + lanes <= length; i += lanes) {
          for (int j = 0; j < lanes; ++j) {
            const std::array<double, count> term = f(n, c, base + i + j);
            for (int s = 0; s < count; ++s) lane[s][j] += term[s];
          }
        }
        for (; i < length; ++i) {
          const std::array<double, count> term = f(n, c, base + i);
          for (int s = 0; s < count; ++s) lane[s][0] += term[s];
        }
        for (int s = 0; s < count; ++s) {
          for (double value : lane[s]) sums[r][s] += value;
        }
      }
    });
  } else {
    constexpr int64_t tile = 64;
    const int64_t tiles = (channels + tile - 1) / tile;
    parallel_for(like.shape[0] * tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t image = t / tiles;
        const int64_t first = t % tiles * tile;
        const int64_t width = std::min(tile, channels - first);
        std::array<std::array<double, tile>, count> lane{};
        for (int64_t p = 0; p < length; ++p) {
          const int64_t base = (image * length + p) * channels + first;
          for (int64_t c = 0; c < width; ++c) {
            const std::array<double, count> term = f(image, first + c, base + c);
            for (int s = 0; s < count; ++s) lane[s][c] += term[s];
          }
        }
        for (int64_t c = 0; c < width; ++c) {
          for (int s = 0; s < count; ++s) sums[image * channels + first + c][s] = lane[s][c];
        }
      }
    });
  }
  return sums;
}

// f(n, c, offset) for every element; the calls of a row, or of a pixel, are free to run side by
// side.
template <class F>
void for_channels(const View& like, const F& f) {
  const int64_t channels = like.shape[1];
  const int64_t length = like.shape[2] * like.shape[3];
  if (like.is_contiguous()) {
    parallel_for(like.shape[0] * channels, 1 + 16384 / std::max<int64_t>(length, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t r = begin; r < end; ++r) {
                     const int64_t n = r / channels, c = r % channels;
#pragma GCC ivdep
                     for (int64_t i = 0; i < length; ++i) f(n, c, r * length + i);
                   }
                 });
  } else {
    parallel_for(like.shape[0] * length, 1 + 16384 / std::max<int64_t>(channels, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p) {
                     const int64_t n = p / length;
#pragma GCC ivdep
                     for (int64_t c = 0; c < channels; ++c) f(n, c, p * channels + c);
                   }
                 });
  }
}

}  // namespace gestalt::cpu
