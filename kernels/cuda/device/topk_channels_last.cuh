#pragma once

// Top-K of channels-last rows. A block has a tile: all pixels of 64 bytes of neighbouring channels
// (16 of f32, 32 of 16 bits). Neighbouring threads are neighbouring channels; the strands of a
// channel share its pixels. Digits of up to 8 bits, a histogram a channel: lanes never meet in a
// bin but where two pixels of a warp do.
//
// Floor: x is read once and y written once, which holds while the tile fits into shared memory
// (3136 pixels in 227 KB); a longer one is read again for each digit, from L2 where the tiles on
// the way fit there. About 5 instructions an element and digit and 12 to come and go; a mask takes
// another 6.

#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_radix.cuh"

namespace GESTALT_CUDA_NAMESPACE {

template <class T>
inline constexpr int topk_tile_channels = static_cast<int>(64 / sizeof(T));

// Bytes beside the tile, and of the tile.
template <class Key, class T>
constexpr size_t topk_tile_state_bytes(int threads, int digit_bits) {
  return shared_size<uint32_t>(static_cast<size_t>(topk_tile_channels<T>) << digit_bits) +
         shared_size<uint32_t>(static_cast<size_t>(threads)) +
         shared_size<uint32_t>(3 * topk_tile_channels<T>) +
         (Key::replaces_by_mean ? shared_size<double>(static_cast<size_t>(threads)) : 0);
}
template <class T>
constexpr size_t topk_tile_bytes(int length) {
  return shared_size<ElementBits<T>>(static_cast<size_t>(length) * topk_tile_channels<T>);
}

// A thread's place in a tile and the memory that the strands of its channel share.
template <class Key, class T>
struct TopKTileThread {
  static constexpr int width = topk_tile_channels<T>;

  int column = static_cast<int>(threadIdx.x) % width;  // of the tile's channels
  int strand = static_cast<int>(threadIdx.x) / width;
  int strands = static_cast<int>(blockDim.x) / width;
  int bins;
  SharedArray<uint32_t> histogram;  // [bins, width]
  SharedArray<uint32_t> parts;      // [strands, width]
  SharedArray<uint32_t> found;      // [3, width]
  SharedArray<double> sums;         // [strands, width]

  __device__ TopKTileThread(SharedMemory& memory, int digit_bits)
      : bins(1 << digit_bits),
        histogram(memory.array<uint32_t>(static_cast<size_t>(bins) * width)),
        parts(memory.array<uint32_t>(blockDim.x)),
        found(memory.array<uint32_t>(3 * width)) {
    if constexpr (Key::replaces_by_mean) sums = memory.array<double>(blockDim.x);
  }

  // The sum of the values of the strands before this one.
  __device__ uint32_t sum_before(uint32_t value) const {
    parts[strand * width + column] = value;
    __syncthreads();
    uint32_t sum = 0;
    for (int other = 0; other < strand; ++other) sum += parts[other * width + column];
    return sum;
  }

  __device__ void clear() const {
    for (int bin = strand; bin < bins; bin += strands) histogram[bin * width + column] = 0;
    __syncthreads();
  }

  // The bin that holds the wanted-th largest key of the channel, once the histogram is complete.
  __device__ TopKBin find_bin(uint32_t wanted) const {
    const int share = (bins + strands - 1) / strands;  // of each strand, from the highest down
    const int top = bins - strand * share, bottom = ::max(top - share, 0);
    uint32_t own = 0;
    for (int bin = top - 1; bin >= bottom; --bin) own += histogram[bin * width + column];
    uint32_t above = sum_before(own);
    if (above < wanted && above + own >= wanted) {
      uint32_t count = 0;
      int bin = top;
      do {
        above += count;
        count = histogram[--bin * width + column];
      } while (above + count < wanted);
      report(static_cast<uint32_t>(bin), above, count);
    } else if (strand == strands - 1 && above + own < wanted) {
      report(0, above + own, 0);
    }
    __syncthreads();
    const uint32_t count = found[2 * width + column];
    return {found[column], found[width + column], count, count != 0};
  }

  __device__ void report(uint32_t bin, uint32_t above, uint32_t count) const {
    found[column] = bin;
    found[width + column] = above;
    found[2 * width + column] = count;
  }
};

// element(i): the i-th pixel of this thread's channel, which exists where `present`.
template <class Key, class T, class Element>
__device__ inline TopKSelection topk_select_in_tile(const TopKTileThread<Key, T>& at,
                                                    const Element& element, bool present,
                                                    int length, int digit_bits, uint32_t k) {
  TopKSearch search{0, k, 0, !present, {0, 0}};
  for (int from = Key::bits; from > 0 && __syncthreads_or(!search.done);) {
    const int width = ::min(digit_bits, from);
    const TopKDigit digit{from, from - width, (1 << width) - 1};
    at.clear();
    if (!search.done) {
      for (int i = at.strand; i < length; i += at.strands) {
        const uint32_t key = Key::raw(element(i));
        // 64 bits, since the first digit may begin at bit 32.
        const uint64_t high = static_cast<uint64_t>(key) >> digit.from;
        if (key != 0 && high == search.prefix) {
          atomicAdd(at.histogram + (static_cast<int>(digit.of(key)) * at.width + at.column), 1u);
        }
      }
    }
    __syncthreads();
    const TopKBin bin = at.find_bin(search.wanted);
    if (!search.done) search = topk_narrow<Key>(search, digit, bin, k);
    from = digit.shift;
  }
  return search.selection;
}

// Where the ties end that are kept: those of lower index are.
template <class Key, class T, class Element>
__device__ inline int topk_last_tie(const TopKTileThread<Key, T>& at, const Element& element,
                                    int length, TopKSelection selection) {
  if (!__syncthreads_or(selection.ties != 0)) return 0;
  const int share = (length + at.strands - 1) / at.strands;
  const int begin = ::min(at.strand * share, length), end = ::min(begin + share, length);
  const auto is_tie = [&](int i) { return Key::of(element(i)) == selection.threshold; };
  uint32_t own = 0;
  if (selection.ties != 0) {
    for (int i = begin; i < end; ++i) own += is_tie(i);
  }
  const uint32_t before = at.sum_before(own);
  if (selection.ties != 0 && before < selection.ties && before + own >= selection.ties) {
    int i = begin;
    for (uint32_t rank = before;; ++i) {
      if (is_tie(i) && ++rank == selection.ties) break;
    }
    at.found[at.column] = static_cast<uint32_t>(i + 1);
  }
  __syncthreads();
  return selection.ties == 0 ? 0 : static_cast<int>(static_cast<uint32_t>(at.found[at.column]));
}

template <class Key, class T, bool cached>
__global__ void __launch_bounds__(1024)
    topk_channels_last(TopKInput<T> input, int channels, int length, int digit_bits, uint32_t k,
                       TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  SharedMemory memory;
  const TopKTileThread<Key, T> at(memory, digit_bits);
  const int tiles = (channels + at.width - 1) / at.width;
  const int64_t image = blockIdx.x / tiles;
  const int channel = static_cast<int>(blockIdx.x % tiles) * at.width + at.column;
  const bool present = channel < channels;
  const int64_t origin = image * length * channels + channel;
  const bool rectifies = input.prologue.present() && present;
  TopKRectify<T> rectify{};
  if (rectifies) rectify = input.prologue.of_channel(channel);
  const auto global = [&](int i) {
    const Bits element = input.x[origin + static_cast<int64_t>(i) * channels];
    return rectifies ? rectify(element) : element;
  };

  const auto select_and_write = [&](const auto& element) {
    const TopKSelection selection =
        topk_select_in_tile<Key, T>(at, element, present, length, digit_bits, k);
    const int last_tie = topk_last_tie<Key, T>(at, element, length, selection);
    const auto is_kept = [&](Bits value, int i) {
      const uint32_t key = Key::of(value);
      return key > selection.threshold || (key == selection.threshold && i < last_tie);
    };
    Bits mean{0};
    if constexpr (Key::replaces_by_mean) {
      double sum = 0;
      for (int i = at.strand; present && i < length; i += at.strands) {
        const Bits value = element(i);
        if (is_kept(value, i)) sum += load(std::bit_cast<T>(value));
      }
      at.sums[at.strand * at.width + at.column] = sum;
      __syncthreads();
      double total = 0;
      for (int s = 0; s < at.strands; ++s) total += at.sums[s * at.width + at.column];
      mean = topk_mean<T>(total, k);
    }
    const int words = (length + 31) / 32;
    if (output.mask != nullptr) {
      for (int w = at.strand; present && w < words; w += at.strands) {
        uint32_t word = 0;
        const int count = ::min(32, length - w * 32);
        for (int bit = 0; bit < count; ++bit) {
          const int i = w * 32 + bit;
          const bool passed = is_kept(element(i), i) != output.reverse;
          word |= static_cast<uint32_t>(passed) << bit;
        }
        output.mask[(image * channels + channel) * words + w] = word;
      }
      __syncthreads();  // y may be x, which is still read here
    }
    for (int i = at.strand; present && i < length; i += at.strands) {
      const Bits value = element(i);
      const bool passed = is_kept(value, i) != output.reverse;
      output.y[origin + static_cast<int64_t>(i) * channels] =
          topk_result<Key, T>(value, passed, mean, output);
    }
  };
  if constexpr (cached) {
    const SharedArray<Bits> tile = memory.array<Bits>(static_cast<size_t>(length) * at.width);
#pragma unroll 8
    for (int i = at.strand; i < length; i += at.strands) {
      if (present) tile[i * at.width + at.column] = global(i);
    }
    __syncthreads();
    select_and_write([&](int i) -> Bits { return tile[i * at.width + at.column]; });
  } else {
    select_and_write(global);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
