#pragma once

// Top-K of contiguous rows that fit into a block's shared memory: a block a row, by digits.
//
// Floor: x is read once and y written once; the mask adds 1/32 (f32) or 1/16 of a write. A row
// comes and goes by bulk copies, which take no instructions; with two stages the next row is on its
// way while one is selected, so that memory never waits. In between a row is read from shared
// memory two or three times and written once: about 20 instructions an element (f32 and 16 bits),
// and 12 to 16 barriers a row.

#include "kernels/cuda/device/bulk_copy.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"
#include "kernels/cuda/device/topk_radix.cuh"

namespace GESTALT_CUDA_NAMESPACE {

// Elements of a row that each of `blocks` has: whole words of the mask.
__host__ __device__ constexpr int topk_part(int length, unsigned blocks) {
  const int words = (length + 31) / 32, share = static_cast<int>(blocks);
  return (words + share - 1) / share * 32;
}

template <class Bits, class Team>
constexpr size_t topk_block_bytes(int length, unsigned blocks, int stages) {
  return TopKBlockMemory::bytes + Team::bytes + 2 * bulk_load_bytes +
         static_cast<size_t>(stages) *
             shared_size<Bits>(bulk_room<Bits>(topk_part(length, blocks)));
}

// f(element) for thread `thread` of `threads` that share out `count` elements, 16 bytes at a time.
template <class Bits, class F>
__device__ inline void topk_visit(SharedArray<Bits> part, int count, int thread, int threads,
                                  const F& f) {
  constexpr int pack = static_cast<int>(16 / sizeof(Bits));
  const unsigned past = shared_address(part) % 16;
  const int head = ::min(count, static_cast<int>((16 - past) % 16 / sizeof(Bits)));
  const int packs = (count - head) / pack;
  if (packs > 0) {
    const SharedArray<Pack<Bits, pack>> body = shared_cast<Pack<Bits, pack>>(part + head);
    for (int p = thread; p < packs; p += threads) {
      const Pack<Bits, pack> values = body[p];
#pragma unroll
      for (int e = 0; e < pack; ++e) f(values.value[e]);
    }
  }
  const int ends = count - packs * pack;
  for (int i = thread; i < ends; i += threads) {
    const Bits element = part[i < head ? i : i + packs * pack];
    f(element);
  }
}

// A row's copy in shared memory and the load that brings it.
template <class Bits>
struct TopKStage {
  BulkLoad load;
  SharedArray<Bits> room;
};

// The grid walks over the rows; a Team of blocks has one at a time, in equal parts but for the
// last. stages: 1 or 2 parts of a block on the chip at a time.
template <class Key, class T, class Team>
__global__ void __launch_bounds__(1024)
    topk_block_rows(TopKInput<T> input, int64_t rows, int length, int stages, uint32_t k,
                    TopKOutput<T> output) {
  using Bits = ElementBits<T>;
  SharedMemory memory;
  const TopKBlockMemory shared(memory);
  const Team team(memory);
  const int part = topk_part(length, team.size());
  const int first = static_cast<int>(team.rank()) * part;
  const int count = ::max(0, ::min(part, length - first));
  const int64_t step = gridDim.x / team.size();

  BulkLoad first_load(memory), second_load(memory);
  const size_t room = bulk_room<Bits>(part);
  TopKStage<Bits> current{first_load, memory.array<Bits>(room)};
  TopKStage<Bits> other = current;
  if (stages == 2) other = {second_load, memory.array<Bits>(room)};
  const auto begin = [&](TopKStage<Bits>& stage, int64_t row) {
    const Bits* from = input.x + row * length + first;
    stage.load.begin(bulk_place(stage.room, from), from, count);
  };
  const TopKChunk chunk = TopKChunk::of_warp(count);

  int64_t row = blockIdx.x / team.size();
  begin(current, row);
  for (; row < rows; row += step) {
    const int64_t next = row + step, offset = row * length + first;
    current.load.wait();
    const SharedArray<Bits> elements = bulk_place(current.room, input.x + offset);
    const auto element = [&](int i) -> Bits { return elements[i]; };
    if (input.prologue.present()) {
      const TopKRectify<T> rectify = input.prologue.of_row(row);
      for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        elements[i] = rectify(element(i));
      }
      __syncthreads();
    }
    const TopKSelection selection = topk_select_in_block<Key>(
        shared, team,
        [&](const auto& f) {
          topk_visit(elements, count, static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x),
                     f);
        },
        k,
        [&] {
          if (stages == 1) return;
          bulk_store_wait();  // the row before this one has left the other stage
          if (next < rows) begin(other, next);
        });
    const TopKChunkSelection of_chunk = topk_share_ties<Key>(
        shared, team,
        [&](const auto& f) {
          topk_visit(elements + chunk.begin, chunk.end - chunk.begin,
                     static_cast<int>(threadIdx.x % warp_lanes), warp_lanes, f);
        },
        selection);
    const Bits mean = topk_mean_of_kept<Key, T>(shared, team, chunk, element, of_chunk, k);
    topk_write_chunk<Key, T>(
        chunk, element, of_chunk, mean, output,
        output.mask == nullptr ? nullptr : output.mask + row * ((length + 31) / 32) + first / 32,
        [&](int i, Bits y) { elements[i] = y; });
    bulk_store_begin(output.y + offset, elements, count);
    if (stages == 2) {
      const TopKStage<Bits> done = current;
      current = other;
      other = done;
    } else if (next < rows) {
      bulk_store_wait();
      begin(current, next);
    }
  }
  bulk_store_wait();
  team.leave();
}

}  // namespace GESTALT_CUDA_NAMESPACE
