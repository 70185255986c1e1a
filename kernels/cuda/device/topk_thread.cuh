#pragma once

// Top-K of the shortest rows (up to 64 elements): a thread a row, by counting in registers. Any
// sharing of such rows among lanes leaves some idle, and here nothing is summed over lanes. A block
// has 128 rows that lie side by side, contiguous or channels last: they go through shared memory,
// so that global memory is read and written in whole lines whatever the rows' length. Not so
// channels last of f32, where a warp's elements of one pixel are a line as they are.
//
// Floor: x is read once and y written once; the mask adds a word a row. Instructions an element:
// two where bulk copies bring the rows and take them, about 12 where threads do, and two (f32) or
// one a step of the bisection, about 8 steps for the slowest row of a warp.

#include "kernels/cuda/device/bulk_copy.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_registers.cuh"
#include "kernels/cuda/device/topk_team.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_thread_block = 128;  // rows, and threads
inline constexpr int topk_thread_most = 64;    // elements of a row

// Elements that kernels are made for: those of fewer take fewer registers. 7x7 pixels are what most
// networks end with.
inline constexpr int topk_thread_elements[] = {16, 56, 64};

template <class Bits>
constexpr int topk_thread_words(int length) {
  constexpr int per_word = static_cast<int>(sizeof(uint32_t) / sizeof(Bits));
  for (const int elements : topk_thread_elements) {
    if (length <= elements) return elements / per_word;
  }
  return 0;
}

// Blocks a multiprocessor that registers are left for.
constexpr int topk_thread_resident(int words) {
  return words > 56 ? 5 : words > 32 ? 6 : 8;
}

// Words from one row to the next in shared memory so that a warp's rows lie in 32 different banks,
// where rows are whole words: an odd number. Rows of an odd number of words lie so by themselves,
// and nearly so those of an odd number of 16-bit elements: 0, they stay as they are in memory.
__host__ __device__ constexpr int topk_thread_stride(int length, int per_word) {
  if (length % per_word != 0 || length / per_word % 2 != 0) return 0;
  return length / per_word + 1;
}
template <class Bits>
__host__ __device__ constexpr size_t topk_thread_room(int length) {
  return bulk_room<Bits>(static_cast<size_t>(topk_thread_block) * (length + 2));
}
template <class Bits>
__host__ __device__ constexpr size_t topk_thread_bytes(int length) {
  return bulk_load_bytes + shared_size<Bits>(topk_thread_room<Bits>(length));
}

// Copies words between memory, where rows follow each other, and shared memory, where they are
// `stride` apart: 16 bytes a thread, several on the way at once.
struct TopKSpreadRows {
  int words, stride;  // words of all rows; of shared memory from row to row
  int row_words;
  Divisor by_row_words;

  // move(at, i): word i of memory is word `at` of shared memory, for the four words from i on.
  template <class Move>
  __device__ void visit(int i, const Move& move) const {
    const int row = static_cast<int>(by_row_words.divide(static_cast<uint32_t>(i)));
    int column = i - row * row_words, at = row * stride + column;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      if (i + e < words) move(at, e);
      ++at;
      if (++column == row_words) {
        column = 0;
        at += stride - row_words;
      }
    }
  }

  __device__ void load(const uint32_t* from, SharedArray<uint32_t> to) const {
    constexpr int batch = 4;
    for (int first = static_cast<int>(threadIdx.x) * 4; first < words;
         first += topk_thread_block * 4 * batch) {
      Pack<uint32_t, 4> packs[batch];
#pragma unroll
      for (int b = 0; b < batch; ++b) {
        const int i = first + b * topk_thread_block * 4;
        if (i + 4 <= words) {
          packs[b] = *reinterpret_cast<const Pack<uint32_t, 4>*>(from + i);
        } else {
#pragma unroll
          for (int e = 0; e < 4; ++e) packs[b].value[e] = i + e < words ? from[i + e] : 0;
        }
      }
#pragma unroll
      for (int b = 0; b < batch; ++b) {
        visit(first + b * topk_thread_block * 4,
              [&](int at, int e) { to[at] = packs[b].value[e]; });
      }
    }
  }

  __device__ void store(uint32_t* to, SharedArray<uint32_t> from) const {
    for (int i = static_cast<int>(threadIdx.x) * 4; i < words; i += topk_thread_block * 4) {
      Pack<uint32_t, 4> pack{};
      visit(i, [&](int at, int e) { pack.value[e] = from[at]; });
      if (i + 4 <= words) {
        *reinterpret_cast<Pack<uint32_t, 4>*>(to + i) = pack;
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          if (i + e < words) to[i + e] = pack.value[e];
        }
      }
    }
  }
};

// Selects from the elements of one row, number `row` of all, and hands over the words of y:
// store(w, y).
template <class Key, class T, int words, class Store>
__device__ inline void topk_in_thread(TopKRegisters<Key, T, words>& elements, int length,
                                      uint32_t k, bool rectifies, const TopKRectify<T>& rectify,
                                      int64_t row, const TopKOutput<T>& output,
                                      const Store& store) {
  using Bits = ElementBits<T>;
  constexpr int per_word = topk_per_word<T>;
  if (rectifies) {
    elements.map([&](int w, uint32_t word) {
      return topk_rectify_word<Key, T>(rectify, word, w * per_word, length);
    });
  }
  TopKLoneThread lone;
  const TopKSelection selection =
      topk_bisect<Key>([&](uint32_t key) { return elements.count_from(key); }, TopKLoneThread::any,
                       elements.survey(), k);
  const TopKTurn turn = topk_turn(elements, lone, selection, length);
  if constexpr (!Key::replaces_by_mean) {
    if (output.is_plain()) {
      topk_for_each_kept<TopKLoneThread>(elements, turn, TopKEdges{},
                                         [&](int w, uint32_t word, uint32_t kept, auto) {
                                           const uint32_t y = word & kept;
#pragma unroll
                                           for (int e = 0; e < per_word; ++e) {
                                             const int i = w * per_word + e;
                                             if (i < length)
                                               store(i, static_cast<Bits>(y >> 16 * e));
                                           }
                                         });
      return;
    }
  }
  // f(i, element, kept) for every element, and those that fill its last group of words.
  const auto for_each_kept = [&](const auto& f) {
    topk_for_each_kept<TopKLoneThread>(
        elements, turn, TopKEdges{}, [&](int w, uint32_t word, uint32_t kept, auto) {
#pragma unroll
          for (int e = 0; e < per_word; ++e) {
            f(w * per_word + e, static_cast<Bits>(word >> 16 * e), (kept >> 16 * e & 1u) != 0);
          }
        });
  };
  Bits mean{0};
  if constexpr (Key::replaces_by_mean) {
    double sum = 0;
    for_each_kept([&](int i, Bits element, bool kept) {
      if (kept && i < length) sum += load(std::bit_cast<T>(element));
    });
    mean = topk_mean<T>(sum, k);
  }
  uint32_t* mask = output.mask == nullptr ? nullptr : output.mask + row * ((length + 31) / 32);
  uint32_t bits = 0;
  for_each_kept([&](int i, Bits element, bool kept) {
    if (i >= length) return;
    const bool passed = kept != output.reverse;
    store(i, topk_result<Key, T>(element, passed, mean, output));
    bits |= static_cast<uint32_t>(passed) << (i % 32);
    if (mask != nullptr && (i % 32 == 31 || i == length - 1)) {
      mask[i / 32] = bits;
      bits = 0;
    }
  });
}

// element_at(i): element i of the row, i < length.
template <class Key, class T, int words, class ElementAt>
__device__ inline void topk_fill(TopKRegisters<Key, T, words>& elements, int length,
                                 const ElementAt& element_at) {
  constexpr int per_word = topk_per_word<T>;
  elements.fill(TopKEdges{}, [&](int w, auto) {
    uint32_t word = 0;
#pragma unroll
    for (int e = 0; e < per_word; ++e) {
      const int i = w * per_word + e;
      const ElementBits<T> element = i < length ? element_at(i) : Key::lowest;
      word |= static_cast<uint32_t>(element) << 16 * e;
    }
    return word;
  });
}

// Contiguous rows. stride: topk_thread_stride(), which asks for x and y aligned to 16 bytes, or 0.
template <class Key, class T, int words>
__global__ void __launch_bounds__(topk_thread_block, topk_thread_resident(words))
    topk_thread_rows(TopKInput<T> input, int64_t rows, int length, int stride, Divisor by_row_words,
                     uint32_t k, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  constexpr int per_word = topk_per_word<T>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * topk_thread_block;
  const int here = static_cast<int>(::min(rows - first, int64_t{topk_thread_block}));
  const Bits* from = input.x + first * length;
  Bits* to = output.y + first * length;
  SharedMemory memory;
  BulkLoad load(memory);
  const SharedArray<Bits> room = memory.array<Bits>(topk_thread_room<Bits>(length));
  const SharedArray<Bits> side_by_side = bulk_place(room, from);
  const TopKSpreadRows spread{here * length / per_word, stride, length / per_word, by_row_words};
  if (stride == 0) {
    load.begin(side_by_side, from, here * length);
    load.wait();
  } else {
    spread.load(reinterpret_cast<const uint32_t*>(from), shared_cast<uint32_t>(room));
    __syncthreads();
  }
  const int own = static_cast<int>(threadIdx.x);
  if (own < here) {
    const int64_t row = first + own;
    const SharedArray<Bits> elements_of_row =
        stride == 0 ? side_by_side + own * length : room + own * stride * per_word;
    TopKRegisters<Key, T, words> elements((length + per_word - 1) / per_word);
    topk_fill(elements, length, [&](int i) -> Bits { return elements_of_row[i]; });
    TopKRectify<T> rectify{};
    if (input.prologue.present()) rectify = input.prologue.of_row(row);
    topk_in_thread<Key, T>(elements, length, k, input.prologue.present(), rectify, row, output,
                           [&](int i, Bits y) { elements_of_row[i] = y; });
  }
  if (stride == 0) {
    bulk_store_begin(to, side_by_side, here * length);
    bulk_store_wait();
  } else {
    __syncthreads();
    spread.store(reinterpret_cast<uint32_t*>(to), shared_cast<uint32_t>(room));
  }
}

// ---- channels last ----

// f32: neighbouring lanes have neighbouring channels, in global memory itself. A block has up to
// 128 channels of an image, whose elements are numbered by 32 bits: 64 cost 14 instructions more an
// element.
template <class Key, class T, int words>
__global__ void __launch_bounds__(topk_thread_block, topk_thread_resident(words))
    topk_lane_channels(TopKInput<T> input, int channels, int length, uint32_t k,
                       TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  static_assert(topk_per_word<T> == 1);
  const int tiles = (channels + topk_thread_block - 1) / topk_thread_block;
  const int64_t image = blockIdx.x / tiles;
  const int channel =
      static_cast<int>(blockIdx.x % tiles) * topk_thread_block + static_cast<int>(threadIdx.x);
  if (channel >= channels) return;
  const int64_t origin = image * length * channels + channel;
  const Bits* from = input.x + origin;
  Bits* to = output.y + origin;
  const auto step = static_cast<uint32_t>(channels);
  TopKRegisters<Key, T, words> elements(length);
  topk_fill(elements, length, [&](int i) -> Bits { return from[static_cast<uint32_t>(i) * step]; });
  TopKRectify<T> rectify{};
  if (input.prologue.present()) rectify = input.prologue.of_channel(channel);
  topk_in_thread<Key, T>(elements, length, k, input.prologue.present(), rectify,
                         image * channels + channel, output,
                         [&](int i, Bits y) { to[static_cast<uint32_t>(i) * step] = y; });
}

// 16 bits: a block has up to 128 channels of an image, all pixels; a tile's pixels follow each
// other in shared memory.
template <class Bits>
__host__ __device__ constexpr size_t topk_thread_channels_bytes(int length) {
  return shared_size<Bits>(static_cast<size_t>(length) * topk_thread_block);
}

// f(i, at): element i of x is element `at` of the tile, for all of its `pack` neighbouring ones.
template <int pack, class F>
__device__ inline void topk_visit_tile(int64_t origin, int channels, int width, int here,
                                       int length, const F& f) {
  const int packs = here / pack;
#pragma unroll 4
  for (int p = static_cast<int>(threadIdx.x); p < packs * length;
       p += static_cast<int>(blockDim.x)) {
    const int pixel = p / packs, column = (p - pixel * packs) * pack;
    f(origin + static_cast<int64_t>(pixel) * channels + column, pixel * width + column);
  }
}

// pack: channels that are read and written at once, which divides their number.
template <class Key, class T, int words, int pack>
__global__ void __launch_bounds__(topk_thread_block, topk_thread_resident(words))
    topk_thread_channels(TopKInput<T> input, int channels, int length, uint32_t k,
                         TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  constexpr int per_word = topk_per_word<T>;
  using Run = Pack<Bits, pack>;
  const int tiles = (channels + topk_thread_block - 1) / topk_thread_block;
  const int64_t image = blockIdx.x / tiles;
  const int first = static_cast<int>(blockIdx.x % tiles) * topk_thread_block;
  const int here = ::min(topk_thread_block, channels - first);
  const int64_t origin = image * length * channels + first;
  SharedMemory memory;
  const SharedArray<Bits> tile =
      memory.array<Bits>(static_cast<size_t>(length) * topk_thread_block);
  topk_visit_tile<pack>(origin, channels, topk_thread_block, here, length, [&](int64_t i, int at) {
    shared_cast<Run>(tile + at)[0] = *reinterpret_cast<const Run*>(input.x + i);
  });
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (own < here) {
    TopKRegisters<Key, T, words> elements((length + per_word - 1) / per_word);
    topk_fill(elements, length, [&](int i) -> Bits { return tile[i * topk_thread_block + own]; });
    TopKRectify<T> rectify{};
    if (input.prologue.present()) rectify = input.prologue.of_channel(first + own);
    topk_in_thread<Key, T>(elements, length, k, input.prologue.present(), rectify,
                           image * channels + first + own, output,
                           [&](int i, Bits y) { tile[i * topk_thread_block + own] = y; });
  }
  __syncthreads();
  topk_visit_tile<pack>(origin, channels, topk_thread_block, here, length, [&](int64_t i, int at) {
    const Run run = shared_cast<Run>(tile + at)[0];
    *reinterpret_cast<Run*>(output.y + i) = run;
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
