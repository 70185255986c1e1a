// topk_forward and topk_backward: rows in parallel, each one selected and written while it is in
// the cache. The floor is one read and one write of the tensor.
//
// Channels last: a tile of all pixels by one cache line of channels is transposed into rows, the
// masks are made there, and the tile is written through the masks.

#include <algorithm>
#include <cstring>
#include <memory>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/topk_rows.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

// An output of this size has left the caches before anyone reads it: written past them.
constexpr int64_t stream_bytes = int64_t{8} << 20;

int64_t mask_bytes(int64_t length) {
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

bool bit_of(const uint8_t* mask, int64_t index) {
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

template <class T>
void forward_rows(const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  const TopKRows<T>& rows = topk_rows<T>();
  const int64_t length = x.shape[2] * x.shape[3];
  const int64_t bytes = mask_bytes(length);
  const bool select_only = desc.tau == 1.0f;
  const bool stream = y.numel() * size_of(y.dtype) >= stream_bytes;
  parallel_for(x.shape[0] * x.shape[1], 1 + 16384 / length, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<typename TopKKey<T>::Bits[]> scratch(
        new typename TopKKey<T>::Bits[topk_scratch(length)]);
    const std::unique_ptr<uint8_t[]> own_mask(mask == nullptr ? new uint8_t[bytes] : nullptr);
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x.as<T>() + row * length;
      T* out = y.as<T>() + row * length;
      const TopKSelection selection = rows.select(in, length, desc.k, scratch.get());
      uint8_t* bits = mask != nullptr ? mask->as<uint8_t>() + row * bytes : nullptr;
      if (!select_only && bits == nullptr) bits = own_mask.get();
      rows.write(in, length, selection, desc.mode == TopKMode::reverse, stream,
                 select_only ? out : nullptr, bits);
      if (!select_only) blend_row(in, bits, length, desc.tau, out);
    }
  });
}

template <class T>
void forward_channels_last(const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  constexpr int64_t tile = line<T>;
  const TopKRows<T>& rows = topk_rows<T>();
  const int64_t channels = x.shape[1];
  const int64_t length = x.shape[2] * x.shape[3];
  const int64_t bytes = mask_bytes(length);
  const int64_t tiles = (channels + tile - 1) / tile;
  parallel_for(x.shape[0] * tiles, 1, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<T[]> transposed(new T[tile * length]);
    const std::unique_ptr<uint8_t[]> own_masks(mask == nullptr ? new uint8_t[tile * bytes]
                                                               : nullptr);
    const std::unique_ptr<typename TopKKey<T>::Bits[]> scratch(
        new typename TopKKey<T>::Bits[topk_scratch(length)]);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t image = index / tiles;
      const int64_t channel = index % tiles * tile;
      const int64_t width = std::min(tile, channels - channel);
      const int64_t offset = image * channels * length + channel;
      const T* in = x.as<T>() + offset;
      transpose_channels(in, length, channels, width, transposed.get());
      uint8_t* masks = mask == nullptr ? own_masks.get()
                                       : mask->as<uint8_t>() + (image * channels + channel) * bytes;
      for (int64_t c = 0; c < width; ++c) {
        const T* row = transposed.get() + c * length;
        const TopKSelection selection = rows.select(row, length, desc.k, scratch.get());
        rows.write(row, length, selection, desc.mode == TopKMode::reverse, false, nullptr,
                   masks + c * bytes);
      }
      blend_channels(in, masks, length, channels, width, desc.tau, y.as<T>() + offset);
    }
  });
}

template <class T>
void backward_rows(const View& dy, const View& mask, const View& dx, float tau) {
  const TopKRows<T>& rows = topk_rows<T>();
  const int64_t length = dy.shape[2] * dy.shape[3];
  const int64_t bytes = mask_bytes(length);
  const bool stream = dx.numel() * size_of(dx.dtype) >= stream_bytes;
  parallel_for(dy.shape[0] * dy.shape[1], 1 + 65536 / length, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = dy.as<T>() + row * length;
      const uint8_t* bits = mask.as<uint8_t>() + row * bytes;
      T* out = dx.as<T>() + row * length;
      if (tau == 1.0f) {
        rows.apply(in, bits, length, stream, out);
      } else {
        blend_row(in, bits, length, tau, out);
      }
    }
  });
}

template <class T>
void backward_channels_last(const View& dy, const View& mask, const View& dx, float tau) {
  const int64_t channels = dy.shape[1];
  const int64_t length = dy.shape[2] * dy.shape[3];
  const int64_t bytes = mask_bytes(length);
  const int64_t tiles = (channels + line<T> - 1) / line<T>;
  parallel_for(dy.shape[0] * tiles, 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t image = index / tiles;
      const int64_t channel = index % tiles * line<T>;
      const int64_t offset = image * channels * length + channel;
      blend_channels(dy.as<T>() + offset, mask.as<uint8_t>() + (image * channels + channel) * bytes,
                     length, channels, std::min(line<T>, channels - channel), tau,
                     dx.as<T>() + offset);
    }
  });
}

}  // namespace

void topk_forward(Context&, const View& x, const View& y, const View* mask, const TopKDesc& desc) {
  if (x.numel() == 0) return;
  dispatch<FloatTypes>("topk_forward", x, [&]<class T>(std::type_identity<T>) {
    if (x.is_contiguous()) {
      forward_rows<T>(x, y, mask, desc);
    } else {
      forward_channels_last<T>(x, y, mask, desc);
    }
  });
}

void topk_backward(Context&, const View& dy, const View& mask, const View& dx,
                   const TopKDesc& desc) {
  if (dy.numel() == 0) return;
  dispatch<FloatTypes>("topk_backward", dy, [&]<class T>(std::type_identity<T>) {
    if (dy.is_contiguous()) {
      backward_rows<T>(dy, mask, dx, desc.tau);
    } else {
      backward_channels_last<T>(dy, mask, dx, desc.tau);
    }
  });
}

}  // namespace gestalt::cpu
