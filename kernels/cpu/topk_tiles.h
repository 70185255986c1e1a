#pragma once

// What the Top-K kernels share beside the selection of a row (topk_rows.h): masks, what is written
// through them, and channels-last images.
//
// Channels last: the rows of some channels are transposed into the cache, a cache line or more of
// each pixel at a time, and give their masks. Then the image is read once more as it lies, and
// written through the masks. (Writing a tile of channels from what was read for the transpose would
// save that, but pixels are a power of two apart, and so share few sets of the caches.)
//
// A map (channel_map.h) is applied before selection.

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/cpu/channel_map.h"
#include "kernels/cpu/topk_rows.h"
#include "kernels/cpu/transpose.h"
#include "kernels/descriptors.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {

// An output of this size has left the caches before anyone reads it: written past them.
inline constexpr int64_t stream_bytes = int64_t{8} << 20;

inline int64_t mask_bytes(int64_t length) {
  return ceil_div(length, 32) * 4;
}

// tau * sparse + (1 - tau) * x, each operation rounded in the accumulation type. With tau = 1 it is
// a selection, so that what is dropped is +0 even where it was infinite.
template <class T>
struct Blend {
  using Sum = accumulate_t<T>;
  Sum tau;

  T operator()(T x, bool passed) const {
    if (tau == Sum{1}) return passed ? x : T(Sum{0});
    const Sum value = static_cast<Sum>(x);
    const Sum sparse = passed ? value : Sum{0};
    return T(tau * sparse + (Sum{1} - tau) * value);
  }
};

inline bool bit_of(const uint8_t* mask, int64_t index) {
  return (mask[index / 8] >> (index % 8)) & 1;
}

template <class T>
void blend_row(const T* x, const uint8_t* mask, int64_t length, float tau, T* y) {
  const Blend<T> blend{tau};
  for (int64_t i = 0; i < length; ++i) y[i] = blend(x[i], bit_of(mask, i));
}

// to[c] = map(from[c]) where the bit of its mask word is set, else +0, of all channels of a pixel.
template <class T, class Map, class Word>
void map_pixel(const Map& map, const T* from, int64_t channels, const Word* words, int bit, T* to) {
  const auto run = [&]<int lanes>(LaneCount<lanes>, int64_t c) {
    Lanes<Word, lanes> word;
    std::memcpy(&word, words + c, sizeof(word));
    const Lanes<Word, lanes> all_or_none = -((word >> bit) & 1);
    const Lanes<Word, lanes> bits =
        std::bit_cast<Lanes<Word, lanes>>(map.template lanes<lanes>(from + c, c)) & all_or_none;
    store_lanes<lanes>(std::bit_cast<Lanes<Stored<T>, lanes>>(bits), to + c);
  };
  for_lanes<T>(channels, run);
}

// Top-K of one row; an object a thread.
template <class T>
class TopKRowWorker {
 public:
  explicit TopKRowWorker(int64_t length)
      : length_(length),
        scratch_(new typename TopKKey<T>::Bits[static_cast<size_t>(topk_scratch(length))]) {}

  // y may be x, or null; so may mask. stream: see TopKRows. tau is 1.
  void select(const T* x, const TopKDesc& desc, bool stream, T* y, uint8_t* mask) {
    const TopKSelection selection = rows_.select(x, length_, desc.k, scratch_.get());
    rows_.write(x, length_, selection, desc.mode == TopKMode::reverse, stream, y, mask);
  }

 private:
  const TopKRows<T>& rows_ = topk_rows<T>();
  int64_t length_;
  std::unique_ptr<typename TopKKey<T>::Bits[]> scratch_;
};

// Channels of one cache line.
template <class T>
inline constexpr int64_t line = 64 / sizeof(T);

// rows[c, p] = x[p, c] for `width` channels; a cache line of each row is written at once.
template <class T>
void transpose_channels(const T* x, int64_t pixels, int64_t channels, int64_t width, T* rows) {
  constexpr int64_t block = line<T>, ahead = 2 * block;
  const int64_t whole = width / 8 * 8;
  int64_t begin = 0;
  for (; begin + block <= pixels; begin += block) {
    for (int64_t p = begin; p < begin + block; ++p) {
      for (int64_t c = 0; c < width; c += line<T>) {
        __builtin_prefetch(x + (p + ahead) * channels + c);
      }
    }
    for (int64_t c = 0; c < whole; c += 8) {
      for (int64_t p = begin; p < begin + block; p += 8) {
        transpose_8x8(x + p * channels + c, channels, rows + c * pixels + p, pixels);
      }
    }
    for (int64_t p = begin; p < begin + block; ++p) {
      for (int64_t c = whole; c < width; ++c) rows[c * pixels + p] = x[p * channels + c];
    }
  }
  for (int64_t p = begin; p < pixels; ++p) {
    for (int64_t c = 0; c < width; ++c) rows[c * pixels + p] = x[p * channels + c];
  }
}

// masks[n, c] of map(x), x [N,C,H,W] channels last.
template <class T, class Map>
void select_channels_last(const View& x, const TopKDesc& desc, const Map& map, uint8_t* masks) {
  constexpr int64_t in_cache = 512 << 10;  // bytes, of a core's second-level cache
  const int64_t channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  const int64_t lines = std::clamp<int64_t>(in_cache / (64 * pixels), 1, 4);
  const int64_t tile = lines * line<T>, tiles = ceil_div(channels, tile);
  parallel_for(x.shape[0] * tiles, 1, [&](int64_t begin, int64_t end) {
    TopKRowWorker<T> worker(pixels);
    const std::unique_ptr<T[]> transposed(new T[static_cast<size_t>(tile * pixels)]);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t image = index / tiles, first = index % tiles * tile;
      const int64_t width = std::min(tile, channels - first);
      transpose_channels(x.as<T>() + image * channels * pixels + first, pixels, channels, width,
                         transposed.get());
      for (int64_t c = first; c < first + width; ++c) {
        T* row = transposed.get() + (c - first) * pixels;
        if constexpr (!std::is_same_v<Map, Identity<T>>) map_row<T>(map.at(c), row, pixels, row);
        worker.select(row, desc, false, nullptr,
                      masks + (image * channels + c) * mask_bytes(pixels));
      }
    }
  });
}

// The mask bits of all channels of a few pixels, in words as wide as the elements, so that loops
// over channels vectorize.
template <class T>
class PixelMasks {
 public:
  using Word = typename TopKKey<T>::Bits;
  static constexpr int64_t pixels = sizeof(T) == 2 ? 16 : 32;  // of a group

  explicit PixelMasks(int64_t channels) : words_(static_cast<size_t>(channels)) {}

  // masks: [channels, bytes]
  void load(const uint8_t* masks, int64_t bytes, int64_t group) {
    constexpr int64_t group_bytes = pixels / 8;
    for (Word& word : words_) {
      word = 0;
      std::memcpy(&word, masks + group * group_bytes, group_bytes);
      masks += bytes;
    }
  }
  const Word* words() const { return words_.data(); }

 private:
  std::vector<Word> words_;
};

// y = map(x) where its mask bit is set, else +0 (with tau, what Blend says), channels last. y may
// be x.
template <class T, class Map>
void write_channels_last(const View& x, const uint8_t* masks, float tau, const Map& map,
                         const View& y) {
  using Bits = typename TopKKey<T>::Bits;
  constexpr int64_t group = PixelMasks<T>::pixels;
  const int64_t channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  const int64_t bytes = mask_bytes(pixels), groups = ceil_div(pixels, group);
  const Blend<T> blend{tau};
  parallel_for(x.shape[0] * groups, 1 + 1024 / channels, [&](int64_t begin, int64_t end) {
    PixelMasks<T> pixel_masks(channels);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t image = index / groups, first = index % groups * group;
      pixel_masks.load(masks + image * channels * bytes, bytes, index % groups);
      const Bits* words = pixel_masks.words();
      for (int64_t p = first; p < std::min(first + group, pixels); ++p) {
        const int shift = static_cast<int>(p - first);
        const T* from = x.as<T>() + (image * pixels + p) * channels;
        T* to = y.as<T>() + (image * pixels + p) * channels;
        if (tau == 1.0f) {
          map_pixel<T>(map, from, channels, words, shift, to);
        } else {
          for (int64_t c = 0; c < channels; ++c) {
            to[c] = blend(map.at(c)(from[c]), (words[c] >> shift) & 1);
          }
        }
      }
    }
  });
}

}  // namespace gestalt::cpu
