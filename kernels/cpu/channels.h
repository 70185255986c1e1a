#pragma once

// Loops over dense [N,C,H,W] views by rows (n, c) of H*W elements, in either memory format.
// `offset` is an element's place in memory, the same for all views of that shape and format.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/lanes.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"
#include "kernels/types.h"

namespace gestalt::cpu {

// What belongs to the channels of lanes side by side, of values [C]: one channel along a row, as
// many as there are lanes along a pixel.
struct OneChannel {
  int64_t channel;
  template <class E>
  E values(const E* all) const {
    return all[channel];
  }
};
template <int lanes>
struct ManyChannels {
  int64_t first;
  template <class E>
  Lanes<E, lanes> values(const E* all) const {
    return load_lanes<lanes>(all + first);
  }
};

// The sum of a contiguous row of `channel`, from element `base` on, of f as in sum_rows.
template <int count, class F>
std::array<double, count> sum_row(int64_t n, OneChannel channel, int64_t base, int64_t length,
                                  const F& f) {
  constexpr int lanes = 4, vectors = 2;
  Lanes<double, lanes> sum[count][vectors]{};
  int64_t i = 0;
  for (; i + lanes * vectors <= length; i += lanes * vectors) {
    for (int v = 0; v < vectors; ++v) {
      const auto terms = f(LaneCount<lanes>{}, n, channel, base + i + v * lanes);
      for (int s = 0; s < count; ++s) sum[s][v] += terms[s];
    }
  }
  double each[count][lanes * vectors];
  std::memcpy(each, sum, sizeof(each));
  for (; i < length; ++i) {
    const auto term = f(LaneCount<1>{}, n, channel, base + i);
    for (int s = 0; s < count; ++s) each[s][0] += term[s];
  }
  std::array<double, count> total{};
  for (int s = 0; s < count; ++s) {
    for (const double value : each[s]) total[s] += value;
  }
  return total;
}

inline constexpr int64_t summed_channels = 64;  // side by side, of channels-last images

// The sums of channels first to first + width, at most summed_channels, of a channels-last image.
template <class T, int count, class F>
std::array<std::array<double, summed_channels>, count> sum_pixels(const View& like, int64_t image,
                                                                  int64_t first, int64_t width,
                                                                  const F& f) {
  // The compiler makes vectors itself, but for the conversions of f16.
  constexpr int lanes = std::is_same_v<T, float16> ? 4 : 1;
  const int64_t channels = like.shape[1], length = like.shape[2] * like.shape[3];
  std::array<std::array<double, summed_channels>, count> sum{};
  for (int64_t p = 0; p < length; ++p) {
    const int64_t base = (image * length + p) * channels + first;
    int64_t c = 0;
    for (; c + lanes <= width; c += lanes) {
      const auto terms = f(LaneCount<lanes>{}, image, ManyChannels<lanes>{first + c}, base + c);
      for (int s = 0; s < count; ++s) {
        store_lanes<lanes>(load_lanes<lanes>(&sum[s][c]) + terms[s], &sum[s][c]);
      }
    }
    for (; c < width; ++c) {
      const auto term = f(LaneCount<1>{}, image, OneChannel{first + c}, base + c);
      for (int s = 0; s < count; ++s) sum[s][c] += term[s];
    }
  }
  return sum;
}

// sums[n * C + c] = sum over the row of f(LaneCount<lanes>, n, channels, offset), an array of
// `count` Lanes<double, lanes>: the terms of the elements at offset, offset + 1 and so on. The
// order of the sum depends on the shape and format alone.
template <class T, int count, class F>
std::vector<std::array<double, count>> sum_rows(const View& like, const F& f) {
  const int64_t channels = like.shape[1];
  const int64_t length = like.shape[2] * like.shape[3];
  const int64_t rows = like.shape[0] * channels;
  std::vector<std::array<double, count>> sums(rows, std::array<double, count>{});
  if (like.is_contiguous()) {
    parallel_for(rows, 1 + 16384 / std::max<int64_t>(length, 1), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        sums[r] = sum_row<count>(r / channels, OneChannel{r % channels}, r * length, length, f);
      }
    });
  } else {
    const int64_t tiles = ceil_div(channels, summed_channels);
    parallel_for(like.shape[0] * tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t image = t / tiles, first = t % tiles * summed_channels;
        const int64_t width = std::min(summed_channels, channels - first);
        const auto sum = sum_pixels<T, count>(like, image, first, width, f);
        for (int64_t c = 0; c < width; ++c) {
          for (int s = 0; s < count; ++s) sums[image * channels + first + c][s] = sum[s][c];
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
                     GESTALT_IVDEP
                     for (int64_t i = 0; i < length; ++i) f(n, c, r * length + i);
                   }
                 });
  } else {
    parallel_for(like.shape[0] * length, 1 + 16384 / std::max<int64_t>(channels, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p) {
                     const int64_t n = p / length;
                     GESTALT_IVDEP
                     for (int64_t c = 0; c < channels; ++c) f(n, c, p * channels + c);
                   }
                 });
  }
}

}  // namespace gestalt::cpu
