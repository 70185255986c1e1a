#pragma once

// Top-K of channels-last rows that fit into a warp's registers. A block brings a tile of them into
// shared memory (topk_tile.cuh), from where warps, halves or quarters of warps take one at a time
// as if it were contiguous.
//
// Floor: x is read once and y written once. Through shared memory an element goes twice each way,
// which takes about ten instructions beside those of topk_team_rows.cuh.

#include "kernels/cuda/device/topk_team_rows.cuh"
#include "kernels/cuda/device/topk_tile.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_tile_threads = 256;
inline constexpr int topk_tile_width_bits = 4;  // 64 bytes of channels

// One channel of the tile; also where its row's result goes.
template <class Key, class T, class Team>
class TopKTileRow {
 public:
  using Bits = ElementBits<T>;
  TopKInner extent;

  // elements: of the channel's first pixel; step: elements from pixel to pixel.
  __device__ TopKTileRow(SharedArray<Bits> elements, int step, const TopKShare& share)
      : extent{share.full}, count_(share.count), elements_(elements), step_(step) {}

  template <class At>
  __device__ uint32_t get(int w, At at) const {
    const int i = topk_element<T, Team>(w);
    uint32_t result = 0;
#pragma unroll
    for (int e = 0; e < topk_per_word<T>; ++e) {
      const Bits element =
          has(i + e, at) ? static_cast<Bits>(elements_[(i + e) * step_]) : Key::lowest;
      result |= static_cast<uint32_t>(element) << 16 * e;
    }
    return result;
  }
  template <class At>
  __device__ void put(int w, uint32_t y, At at) const {
    const int i = topk_element<T, Team>(w);
#pragma unroll
    for (int e = 0; e < topk_per_word<T>; ++e) {
      if (has(i + e, at)) elements_[(i + e) * step_] = static_cast<Bits>(y >> 16 * e);
    }
  }

 private:
  // Whether the row has an element i. A third form for words that are whole or missing would cost
  // registers that are not there.
  template <class At>
  __device__ bool has(int i, At at) const {
    return at == TopKPlace::inner || i < count_;
  }

  int count_;
  SharedArray<Bits> elements_;
  int step_;
};

// pack: channels that are read and written at once, 16 bytes of them, or 1.
template <class Key, class T, int words, int lanes, int pack>
__global__ void __launch_bounds__(topk_tile_threads, 4)
    topk_tile_rows(TopKInput<T> input, int channels, int length, uint32_t k, TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  using Tile = TopKTile<topk_tile_width_bits>;
  using Team = TopKWarpTeam<lanes>;
  SharedMemory memory;
  Team team(memory);
  const Tile tile = Tile::template of<Bits>(
      blockIdx.x, memory.array<uint32_t>(static_cast<size_t>(length) * Tile::pitch), length,
      channels);
  tile.template load<Bits, pack, 4>(input.x);
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x) / lanes; Team::any(c < tile.here);
       c += topk_tile_threads / lanes) {
    TopKShare share(length, 0, 1, lanes * topk_per_word<T>);
    const int column = ::min(c, tile.here - 1), channel = tile.first + column;
    if (c >= tile.here) share.clear();
    const TopKTileRow<Key, T, Team> row(shared_cast<Bits>(tile.words) + column,
                                        Tile::pitch * topk_per_word<T>, share);
    TopKRegisters<Key, T, words> elements(share.words);
    elements.fill(row.extent, [&](int w, auto at) { return row.get(w, at); });
    if (input.prologue.present()) {
      const TopKRectify<T> rectify = input.prologue.of_channel(channel);
      elements.map([&](int w, uint32_t word) {
        return topk_rectify_word<Key, T>(rectify, word, topk_element<T, Team>(w), share.count);
      });
    }
    topk_select_in_registers<Key, T>(
        elements, team, share.count, k, output,
        output.mask == nullptr
            ? nullptr
            : output.mask + (tile.image * channels + channel) * ((length + 31) / 32),
        row);
  }
  __syncthreads();
  tile.template store<Bits, pack>(output.y);
}

}  // namespace GESTALT_CUDA_NAMESPACE
