#pragma once

// What the Top-K kernels share beside the selection of a row (topk_rows.h): masks, what is written
// through them, and the tiles that they take of a channels-last image.

#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels/cpu/topk_rows.h"
#include "kernels/descriptors.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {

// An output of this size has left the caches before anyone reads it: written past them.
inline constexpr int64_t stream_bytes = int64_t{8} << 20;

inline int64_t mask_bytes(int64_t length) {
  return (length + 31) / 32 * 4;
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

// Channels of one cache line.
template <class T>
inline constexpr int64_t line = 64 / sizeof(T);

// y = blend(x, mask) for `width` <= line neighbouring channels of all pixels. masks: [width,
// bytes]. Mask bits are kept in words as wide as the elements, so that the loops over channels
// vectorize.
template <class T>
void blend_channels(const T* x, const uint8_t* masks, int64_t pixels, int64_t channels,
                    int64_t width, float tau, T* y) {
  using Bits = typename TopKKey<T>::Bits;
  constexpr int64_t group = sizeof(T) == 2 ? 16 : 32;
  const Blend<T> blend{tau};
  const int64_t bytes = mask_bytes(pixels);
  Bits words[line<T>] = {};
  for (int64_t begin = 0; begin < pixels; begin += group) {
    for (int64_t c = 0; c < width; ++c) {
      std::memcpy(&words[c], masks + c * bytes + begin / 8, group / 8);
    }
    const int64_t end = std::min(pixels, begin + group);
    for (int64_t p = begin; p < end; ++p) {
      const int shift = static_cast<int>(p - begin);
      const T* in = x + p * channels;
      T* out = y + p * channels;
      if (tau == 1.0f && width == line<T>) {
        Bits bits[line<T>];
        std::memcpy(bits, in, sizeof(bits));
        for (int64_t c = 0; c < line<T>; ++c) {
          bits[c] &= static_cast<Bits>(-static_cast<Bits>((words[c] >> shift) & 1));
        }
        std::memcpy(out, bits, sizeof(bits));
      } else {
        for (int64_t c = 0; c < width; ++c) out[c] = blend(in[c], (words[c] >> shift) & 1);
      }
    }
  }
}

// rows[c, p] = x[p, c], in blocks that stay in the first-level cache.
template <class T>
void transpose_channels(const T* x, int64_t pixels, int64_t channels, int64_t width, T* rows) {
  constexpr int64_t block = 16;
  int64_t begin = 0;
  if (width == line<T>) {
    for (; begin + block <= pixels; begin += block) {
      T tile[block][line<T>];
      for (int64_t p = 0; p < block; ++p) {
        std::memcpy(tile[p], x + (begin + p) * channels, sizeof(tile[p]));
      }
      for (int64_t c = 0; c < line<T>; ++c) {
        T column[block];
        for (int64_t p = 0; p < block; ++p) column[p] = tile[p][c];
        std::memcpy(rows + c * pixels + begin, column, sizeof(column));
      }
    }
  }
  for (int64_t p = begin; p < pixels; ++p) {
    for (int64_t c = 0; c < width; ++c) rows[c * pixels + p] = x[p * channels + c];
  }
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

// Top-K of all pixels of up to line<T> neighbouring channels, channels last: the rows of their
// transpose give the masks, and the tile is written through them. An object a thread.
template <class T>
class TopKTileWorker {
 public:
  explicit TopKTileWorker(int64_t pixels)
      : pixels_(pixels),
        row_(pixels),
        transposed_(new T[static_cast<size_t>(line<T> * pixels)]),
        masks_(new uint8_t[static_cast<size_t>(line<T> * mask_bytes(pixels))]) {}

  // x, y: the first of `width` channels of the first pixel, y may be x; masks: [width, mask_bytes],
  // or null.
  void run(const T* x, int64_t channels, int64_t width, const TopKDesc& desc, T* y,
           uint8_t* masks) {
    if (masks == nullptr) masks = masks_.get();
    transpose_channels(x, pixels_, channels, width, transposed_.get());
    for (int64_t c = 0; c < width; ++c) {
      row_.select(transposed_.get() + c * pixels_, desc, false, nullptr,
                  masks + c * mask_bytes(pixels_));
    }
    blend_channels(x, masks, pixels_, channels, width, desc.tau, y);
  }

 private:
  int64_t pixels_;
  TopKRowWorker<T> row_;
  std::unique_ptr<T[]> transposed_;
  std::unique_ptr<uint8_t[]> masks_;
};

// The tiles of an image [N,C,H,W], channels last.
template <class T>
struct ChannelTiles {
  int64_t images, channels, pixels;

  explicit ChannelTiles(const View& x)
      : images(x.shape[0]), channels(x.shape[1]), pixels(x.shape[2] * x.shape[3]) {}

  struct Tile {
    int64_t row;      // of the first channel, image * channels + channel
    int64_t channel;  // the first one
    int64_t width;    // channels
    int64_t offset;   // of its first element
  };
  int64_t of_image() const { return (channels + line<T> - 1) / line<T>; }
  int64_t count() const { return images * of_image(); }
  Tile operator[](int64_t index) const {
    const int64_t image = index / of_image();
    const int64_t channel = index % of_image() * line<T>;
    return {image * channels + channel, channel, std::min(line<T>, channels - channel),
            image * channels * pixels + channel};
  }
};

}  // namespace gestalt::cpu
