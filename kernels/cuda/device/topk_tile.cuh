#pragma once

// A block's tile of channels-last rows in shared memory: all pixels of 64 or 32 bytes of
// neighbouring channels. A pixel's channels go in and out together, a channel's pixels are read one
// by one.

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/prefetch.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Words of shared memory from pixel to pixel: odd, so that the pixels of a warp lie in 32 different
// banks. width: words of a tile's channels.
__host__ __device__ constexpr int topk_tile_pitch(int width) {
  return width + 1;
}
__host__ __device__ constexpr size_t topk_tile_bytes(int length, int width) {
  return shared_size<uint32_t>(static_cast<size_t>(length) * topk_tile_pitch(width));
}

// A block's tile, of 1 << width_bits words of channels a pixel.
template <int width_bits>
struct TopKTile {
  static constexpr int pitch = topk_tile_pitch(1 << width_bits);

  SharedArray<uint32_t> words;
  int length;
  int channels;     // of x
  int64_t image;    // of x, which the tile lies in
  int first, here;  // channel, and how many there are in the tile
  int64_t origin;   // of x's first element

  // The tile of this number among all of x: image after image, in each channel after channel.
  template <class Bits>
  __device__ static TopKTile of(unsigned number, SharedArray<uint32_t> words, int length,
                                int channels) {
    constexpr int width = static_cast<int>(sizeof(uint32_t) / sizeof(Bits)) << width_bits;
    const auto tiles = static_cast<unsigned>((channels + width - 1) / width);
    const int64_t image = number / tiles;
    const int first = static_cast<int>(number % tiles) * width;
    return {words,
            length,
            channels,
            image,
            first,
            ::min(width, channels - first),
            image * length * channels + first};
  }

  // f(i, at, size): `pack` neighbouring channels of a pixel, of which `size` exist, begin at
  // element i of x and, as they lie in the tile, at element `at`.
  template <class Bits, int pack, class F>
  __device__ void visit(int p, const F& f) const {
    constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
    const int packs_bits = width_bits + (per_word == 2 ? 1 : 0) -
                           (pack == 1   ? 0
                            : pack == 4 ? 2
                                        : 3);
    const int pixel = p >> packs_bits, column = (p - (pixel << packs_bits)) * pack;
    if (pixel >= length) return;
    f(origin + static_cast<int64_t>(pixel) * channels + column, pixel * pitch * per_word + column,
      ::min(pack, here - column));
  }
  template <class Bits, int pack>
  __device__ int packs() const {
    return (length << width_bits) * static_cast<int>(sizeof(uint32_t) / sizeof(Bits)) / pack;
  }

  // pack: divides `here`; batch: packs of a thread that are on the way at once.
  template <class Bits, int pack, int batch>
  __device__ void load(const Bits* x) const {
    using Run = Pack<Bits, pack>;
    const auto threads = static_cast<int>(blockDim.x);
    const int all = packs<Bits, pack>();
    for (int p = static_cast<int>(threadIdx.x); p < all; p += batch * threads) {
      Run runs[batch]{};
#pragma unroll
      for (int b = 0; b < batch; ++b) {
        visit<Bits, pack>(p + b * threads, [&](int64_t i, int, int size) {
          if (size > 0) runs[b] = *reinterpret_cast<const Run*>(x + i);
        });
      }
#pragma unroll
      for (int b = 0; b < batch; ++b) {
        visit<Bits, pack>(p + b * threads, [&](int64_t, int at, int) {
          if constexpr (pack == 1) {
            shared_cast<Bits>(words)[at] = runs[b].value[0];
          } else {
            const auto four = std::bit_cast<Pack<uint32_t, 4>>(runs[b]);
            const int word = at * static_cast<int>(sizeof(Bits)) / 4;
#pragma unroll
            for (int e = 0; e < 4; ++e) words[word + e] = four.value[e];
          }
        });
      }
    }
  }

  // Asks for it to be brought into L2.
  template <class Bits>
  __device__ void prefetch(const Bits* x) const {
    static_assert(sizeof(uint32_t) << width_bits <= prefetch_bytes);
    for (int pixel = static_cast<int>(threadIdx.x); pixel < length;
         pixel += static_cast<int>(blockDim.x)) {
      prefetch_l2(x + origin + static_cast<int64_t>(pixel) * channels);
    }
  }

  template <class Bits, int pack>
  __device__ void store(Bits* y) const {
    using Run = Pack<Bits, pack>;
    const int all = packs<Bits, pack>();
    const auto threads = static_cast<int>(blockDim.x);
#pragma unroll 4
    for (int p = static_cast<int>(threadIdx.x); p < all; p += threads) {
      visit<Bits, pack>(p, [&](int64_t i, int at, int size) {
        if (size <= 0) return;
        if constexpr (pack == 1) {
          y[i] = shared_cast<Bits>(words)[at];
        } else {
          Pack<uint32_t, 4> four;
          const int word = at * static_cast<int>(sizeof(Bits)) / 4;
#pragma unroll
          for (int e = 0; e < 4; ++e) four.value[e] = words[word + e];
          *reinterpret_cast<Run*>(y + i) = std::bit_cast<Run>(four);
        }
      });
    }
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
