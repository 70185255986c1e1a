#pragma once

// Top-K of channels-last rows that are too long for a warp's registers (topk_tile_rows.cuh): a
// block has a tile in shared memory (topk_tile.cuh), which a row never leaves. A warp takes a
// column of its words, one channel (f32) or two at once (16 bits), its lanes neighbouring pixels,
// and selects by counting: without a barrier, since a column is nobody else's.
//
// Floor: x is read once and y written once. A word is read from shared memory for each step of the
// bisection (4 to 7) and three times more, with two to four instructions each time.

#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_tile.cuh"
#include "kernels/cuda/device/warp.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_column_most_threads = 512;
inline constexpr int topk_column_most = 8192;  // pixels: a lane counts at most 256 of 16 bits

// A warp's column of the tile: one row or, of 16 bits, two side by side.
template <class Key, class T, int pitch>
class TopKColumn {
 public:
  using Bits = ElementBits<T>;
  static constexpr int rows = topk_per_word<T>;

  // words: of the column's first pixel.
  __device__ TopKColumn(SharedArray<uint32_t> words, int length) : words_(words), length_(length) {}

  // word = f(i, word) for every pixel i.
  template <class F>
  __device__ void replace(const F& f) const {
#pragma unroll 8
    for (int i = lane(); i < length_; i += warp_lanes) {
      words_[i * pitch] = f(i, static_cast<uint32_t>(words_[i * pitch]));
    }
  }

  // f(i, word, inside) for 32 neighbouring pixels at a time, with all lanes together.
  template <class F>
  __device__ void for_each(const F& f) const {
    for (int first = 0; first < length_; first += warp_lanes) {
      const int i = first + lane();
      const bool inside = i < length_;
      f(i, inside ? static_cast<uint32_t>(words_[i * pitch]) : 0u, inside);
    }
  }
  __device__ void put(int i, uint32_t word) const {
    words_[i * pitch] = word;
  }

  // How many keys of each row are at least its bound. bounds: those of the rows side by side.
  __device__ void count(uint32_t bounds, uint32_t (&counts)[rows]) const {
    uint32_t sum = 0;  // of the rows side by side
    if constexpr (Key::replaces_by_mean) {
      each([&](uint32_t word) {
#pragma unroll
        for (int e = 0; e < rows; ++e) {
          if (Key::raw(element(word, e)) >= element(bounds, e)) sum += 1u << 16 * e;
        }
      });
    } else {
      sum = topk_are_numbers<T>(bounds) ? count_as<true>(bounds) : count_as<false>(bounds);
    }
    split(warp_sum(sum), counts);
  }

  // What the search in each row begins with.
  __device__ void survey(TopKSurvey (&found)[rows]) const {
    uint32_t largest[rows] = {}, counts[rows] = {};
    if constexpr (Key::replaces_by_mean) {
      each([&](uint32_t word) {
#pragma unroll
        for (int e = 0; e < rows; ++e) {
          const uint32_t key = Key::raw(element(word, e));
          largest[e] = ::max(largest[e], key);
          if (key >= 1) ++counts[e];
        }
      });
    } else {
      uint32_t most = 0;
      TopKCount<T, true> non_zero(topk_repeat<T>(1));
      each([&](uint32_t word) {
        most = topk_larger<T>(most, topk_magnitudes<T>(word));
        non_zero.add(word);
      });
#pragma unroll
      for (int e = 0; e < rows; ++e) {
        largest[e] = rows == 2 ? uint32_t{element(most, e)} : most;
        counts[e] = non_zero.of(e);
      }
    }
#pragma unroll
    for (int e = 0; e < rows; ++e) found[e] = {warp_max(largest[e]), warp_sum(counts[e])};
  }

  // The pixel before which the ties lie that are kept, in each row.
  __device__ void last_ties(const TopKSelection (&selection)[rows], int (&ends)[rows]) const {
    // Each lane counts those of neighbouring pixels: an odd number, for the banks.
    const int size = ((length_ + warp_lanes - 1) / warp_lanes) | 1;
    const int begin = ::min(lane() * size, length_), end = ::min(begin + size, length_);
    uint32_t own = 0;
#pragma unroll 4
    for (int i = begin; i < end; ++i) {
      const uint32_t word = words_[i * pitch];
#pragma unroll
      for (int e = 0; e < rows; ++e) {
        if (Key::of(element(word, e)) == selection[e].threshold) own += 1u << 16 * e;
      }
    }
    uint32_t counts[rows], up_to[rows];
    split(own, counts);
    split(warp_inclusive_sum(own), up_to);
#pragma unroll
    for (int e = 0; e < rows; ++e) {
      ends[e] = 0;
      const uint32_t wanted = selection[e].ties;
      if (wanted == 0) continue;
      const uint32_t reached = __ballot_sync(full_warp, up_to[e] >= wanted);
      const int owner = __ffs(static_cast<int>(reached)) - 1;
      uint32_t before = __shfl_sync(full_warp, up_to[e] - counts[e], owner);
      for (int first = owner * size;; first += warp_lanes) {
        const int i = first + lane();
        bool tie = false;
        if (i < length_) {
          const uint32_t word = words_[i * pitch];
          tie = Key::of(element(word, e)) == selection[e].threshold;
        }
        uint32_t ties = __ballot_sync(full_warp, tie);
        const auto here = static_cast<uint32_t>(__popc(ties));
        if (before + here >= wanted) {
          for (; before + 1 < wanted; ++before) ties &= ties - 1;
          ends[e] = first + __ffs(static_cast<int>(ties));
          break;
        }
        before += here;
      }
    }
  }

  __device__ static Bits element(uint32_t word, int e) {
    return static_cast<Bits>(word >> 16 * e);
  }

 private:
  // Of this lane's pixels, the rows side by side.
  template <bool numbers>
  __device__ uint32_t count_as(uint32_t bounds) const {
    TopKCount<T, numbers> counts(bounds);
    each([&](uint32_t word) { counts.add(word); });
    return rows == 2 ? counts.of(0) | counts.of(1) << 16 : counts.of(0);
  }

  __device__ static int lane() {
    return static_cast<int>(threadIdx.x % warp_lanes);
  }
  __device__ static void split(uint32_t sum, uint32_t (&counts)[rows]) {
#pragma unroll
    for (int e = 0; e < rows; ++e) counts[e] = element(sum, e);
  }
  // f(word) for this lane's pixels.
  template <class F>
  __device__ void each(const F& f) const {
#pragma unroll 8
    for (int i = lane(); i < length_; i += warp_lanes) {
      const uint32_t word = words_[i * pitch];
      f(word);
    }
  }

  SharedArray<uint32_t> words_;
  int length_;
};

template <class Key, class T, int pitch>
__device__ inline void topk_select_in_column(const TopKColumn<Key, T, pitch>& column, uint32_t k,
                                             TopKSelection (&selection)[topk_per_word<T>]) {
  constexpr int rows = topk_per_word<T>;
  uint32_t counts[rows];
  TopKSurvey surveys[rows];
  column.survey(surveys);
  TopKBisection<Key> first(k, surveys[0]);
  if constexpr (rows == 1) {
    while (!first.done()) {
      column.count(first.next(), counts);
      first.found(counts[0]);
    }
  } else {
    TopKBisection<Key> second(k, surveys[1]);
    while (!(first.done() && second.done())) {
      const uint32_t low = first.next(), high = second.next();
      column.count(low | high << 16, counts);
      first.found(counts[0]);
      second.found(counts[1]);
    }
    selection[1] = second.selection();
  }
  selection[0] = first.selection();
}

// Selects from a column and puts y in its place. row: the number of its first row among all;
// present: how many of its rows exist.
template <class Key, class T, int pitch>
__device__ inline void topk_of_column(const TopKColumn<Key, T, pitch>& column, int length,
                                      int64_t row, int present, uint32_t k,
                                      const TopKOutput<T>& output) {
  using Bits = ElementBits<T>;
  constexpr int rows = topk_per_word<T>;
  TopKSelection selection[rows];
  int ends[rows] = {};
  topk_select_in_column(column, k, selection);
  bool ties = false;
#pragma unroll
  for (int e = 0; e < rows; ++e) ties |= selection[e].ties != 0;
  if (ties) column.last_ties(selection, ends);
  __syncwarp();  // all have read what each overwrites below
  if constexpr (!Key::replaces_by_mean) {
    if (output.is_plain()) {
      uint32_t low = 0, high = 0;
#pragma unroll
      for (int e = 0; e < rows; ++e) {
        const uint32_t threshold = selection[e].threshold;
        low |= threshold << 16 * e;
        high |= topk_above<Key>(threshold) << 16 * e;
      }
      const auto select = [&](auto numbers) {
        column.replace([&](int i, uint32_t word) {
          uint32_t kept = topk_at_least<T, numbers>(word, high);
          if (ties) {
            uint32_t before = 0;  // where ties are kept
#pragma unroll
            for (int e = 0; e < rows; ++e) {
              if (i < ends[e]) before |= (rows == 2 ? 0xffffu : ~0u) << 16 * e;
            }
            kept |= topk_at_least<T, numbers>(word, low) & before;
          }
          return word & kept;
        });
      };
      if (topk_are_numbers<T>(high)) {
        select(std::true_type{});
      } else {
        select(std::false_type{});
      }
      return;
    }
  }
  const auto is_kept = [&](uint32_t word, int i, int e) {
    const uint32_t key = Key::of(column.element(word, e));
    return key > selection[e].threshold || (key == selection[e].threshold && i < ends[e]);
  };
  Bits means[rows] = {};
  if constexpr (Key::replaces_by_mean) {
    double sums[rows] = {};
    column.for_each([&](int i, uint32_t word, bool inside) {
#pragma unroll
      for (int e = 0; e < rows; ++e) {
        if (inside && is_kept(word, i, e)) {
          sums[e] += load(std::bit_cast<T>(column.element(word, e)));
        }
      }
    });
#pragma unroll
    for (int e = 0; e < rows; ++e) means[e] = topk_mean<T>(warp_sum(sums[e]), k);
  }
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int mask_words = (length + 31) / 32;
  column.for_each([&](int i, uint32_t word, bool inside) {
    uint32_t y = 0;
#pragma unroll
    for (int e = 0; e < rows; ++e) {
      const bool passed = inside && is_kept(word, i, e) != output.reverse;
      y |= static_cast<uint32_t>(
               topk_result<Key, T>(column.element(word, e), passed, means[e], output))
           << 16 * e;
      if (output.mask != nullptr) {
        const uint32_t bits = __ballot_sync(full_warp, passed);
        if (lane == 0 && e < present) output.mask[(row + e) * mask_words + i / 32] = bits;
      }
    }
    if (inside) column.put(i, y);
  });
}

// pack: channels that are read and written at once, 16 bytes of them, or 1.
template <class Key, class T, int width_bits, int pack>
__global__ void __launch_bounds__(topk_column_most_threads, 2)
    topk_columns(TopKInput<T> input, int channels, int length, uint32_t k, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  using Tile = TopKTile<width_bits>;
  constexpr int rows = topk_per_word<T>;
  SharedMemory memory;
  const auto words = memory.array<uint32_t>(static_cast<size_t>(length) * Tile::pitch);
  const Tile tile = Tile::template of<Bits>(blockIdx.x, words, length, channels);
  // A multiprocessor has one such block or two: 64 KB on the way, to keep memory busy.
  tile.template load<Bits, pack, 8>(input.x);
  if (const unsigned next = blockIdx.x + input.ahead; input.ahead > 0 && next < gridDim.x) {
    Tile::template of<Bits>(next, words, length, channels).prefetch(input.x);
  }
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x / warp_lanes); c * rows < tile.here;
       c += static_cast<int>(blockDim.x / warp_lanes)) {
    const TopKColumn<Key, T, Tile::pitch> column(tile.words + c, length);
    const int channel = tile.first + c * rows, present = ::min(rows, channels - channel);
    if (input.prologue.present()) {
      TopKRectify<T> rectify[rows];
#pragma unroll
      for (int e = 0; e < rows; ++e) {
        rectify[e] = input.prologue.of_channel(e < present ? channel + e : channel);
      }
      column.replace([&](int, uint32_t word) {
        uint32_t result = 0;
#pragma unroll
        for (int e = 0; e < rows; ++e) {
          result |= static_cast<uint32_t>(rectify[e](column.element(word, e))) << 16 * e;
        }
        return result;
      });
      __syncwarp();
    }
    topk_of_column(column, length, tile.image * channels + channel, present, k, output);
  }
  __syncthreads();
  tile.template store<Bits, pack>(output.y);
}

}  // namespace GESTALT_CUDA_NAMESPACE
