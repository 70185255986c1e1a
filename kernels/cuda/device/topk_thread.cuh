#pragma once

// Top-K of the shortest contiguous rows (up to 64 elements): a thread a row, by counting in
// registers. Any sharing of such rows among lanes leaves some idle, and here nothing is summed over
// lanes. The rows of a block lie side by side: they go through shared memory, so that global memory
// is read and written 16 bytes a thread whatever the rows' length.
//
// Floor: x is read once and y written once; the mask adds a word a row. Instructions an element:
// about 12 to come and go, and two (f32) or 1.5 a step of the bisection, 7 to 9 steps for the
// slowest row of a warp.

#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/topk_bisect.cuh"
#include "kernels/cuda/device/topk_prologue.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int topk_thread_block = 128;  // rows, and threads
inline constexpr int topk_thread_most = 64;    // elements of a row

// Words from one row to the next in shared memory, an element each: odd, so that a warp's rows lie
// in 32 different banks.
__host__ __device__ constexpr int topk_thread_stride(int length) {
  return length | 1;
}
__host__ __device__ constexpr size_t topk_thread_bytes(int length) {
  return shared_size<uint32_t>(static_cast<size_t>(topk_thread_block) * topk_thread_stride(length));
}

// The neighbouring rows that a block has, in memory and as they lie in shared memory.
struct TopKTile {
  SharedArray<uint32_t> elements;
  int count, length;
  Divisor by_length;

  // f(i, size, place) for runs of `size` <= step elements from i on, shared out among the threads;
  // place(e): where element e of the run lies in shared memory, asked for in order.
  template <int step, class F>
  __device__ void for_each_run(const F& f) const {
    for (int i = static_cast<int>(threadIdx.x) * step; i < count; i += topk_thread_block * step) {
      const int row = static_cast<int>(by_length.divide(static_cast<uint32_t>(i)));
      int column = i - row * length, at = row * topk_thread_stride(length) + column;
      f(i, ::min(step, count - i), [&] {
        const int place = at++;
        if (++column == length) {
          column = 0;
          at += topk_thread_stride(length) - length;
        }
        return place;
      });
    }
  }

  template <int step, class Bits>
  __device__ void load(const Bits* x) const {
    for_each_run<step>([&](int i, int size, const auto& next) {
      Pack<Bits, step> run{};
      if (size == step) {
        run = *reinterpret_cast<const Pack<Bits, step>*>(x + i);
      } else {
        for (int e = 0; e < size; ++e) run.value[e] = x[i + e];
      }
#pragma unroll
      for (int e = 0; e < step; ++e) {
        if (e < size) elements[next()] = run.value[e];
      }
    });
  }

  template <int step, class Bits>
  __device__ void store(Bits* y) const {
    for_each_run<step>([&](int i, int size, const auto& next) {
      Pack<Bits, step> run{};
#pragma unroll
      for (int e = 0; e < step; ++e) {
        if (e < size) run.value[e] = static_cast<Bits>(static_cast<uint32_t>(elements[next()]));
      }
      if (size == step) {
        *reinterpret_cast<Pack<Bits, step>*>(y + i) = run;
      } else {
        for (int e = 0; e < size; ++e) y[i + e] = run.value[e];
      }
    });
  }
};

// Selects from this thread's row, the `number`-th of all, and writes it back in its place.
template <class Key, class T, int items>
__device__ inline void topk_in_thread(SharedArray<uint32_t> row, int length, uint32_t k,
                                      const TopKPrologue<T>& prologue, int64_t number,
                                      const TopKOutput<T>& output) {
  using Bits = ElementBits<T>;
  TopKRegisters<Key, T, items> elements(length);
  elements.fill([&](int j) { return static_cast<Bits>(static_cast<uint32_t>(row[j])); });
  if (prologue.present()) {
    const TopKRectify<T> rectify = prologue.of_row(number);
    elements.map([&](int, Bits element) { return rectify(element); });
  }
  const TopKSelection selection =
      topk_bisect<Key>([&](uint32_t key) { return elements.count_from(key); },
                       ::min(elements.largest(), Key::most), k);
  uint32_t ties = 0;
  const auto is_kept = [&](Bits element) {
    const uint32_t key = Key::of(element);
    return key > selection.threshold || (key == selection.threshold && ties++ < selection.ties);
  };
  Bits mean{0};
  if constexpr (Key::replaces_by_mean) {
    double sum = 0;
    elements.for_each([&](int, Bits element) {
      if (is_kept(element)) sum += load(std::bit_cast<T>(element));
    });
    mean = topk_mean<T>(sum, k);
    ties = 0;
  }
  uint32_t* mask = output.mask == nullptr ? nullptr : output.mask + number * ((length + 31) / 32);
  uint32_t word = 0;
  elements.for_each([&](int j, Bits element) {
    const bool passed = is_kept(element) != output.reverse;
    row[j] = topk_result<Key, T>(element, passed, mean, output);
    word |= static_cast<uint32_t>(passed) << (j % 32);
    if (mask != nullptr && (j % 32 == 31 || j == length - 1)) {
      mask[j / 32] = word;
      word = 0;
    }
  });
}

// wide: x and y are aligned to 16 bytes.
template <class Key, class T, int items>
__global__ void __launch_bounds__(topk_thread_block)
    topk_thread_rows(TopKInput<T> input, int64_t rows, int length, Divisor by_length, bool wide,
                     uint32_t k, TopKOutput<T> output) {
  constexpr int pack = static_cast<int>(16 / sizeof(ElementBits<T>));
  const int64_t first = static_cast<int64_t>(blockIdx.x) * topk_thread_block;
  const int here = static_cast<int>(::min(rows - first, int64_t{topk_thread_block}));
  SharedMemory memory;
  const TopKTile tile{
      memory.array<uint32_t>(static_cast<size_t>(topk_thread_block) * topk_thread_stride(length)),
      here * length, length, by_length};
  if (wide) {
    tile.load<pack>(input.x + first * length);
  } else {
    tile.load<1>(input.x + first * length);
  }
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (own < here) {
    topk_in_thread<Key, T, items>(tile.elements + own * topk_thread_stride(length), length, k,
                                  input.prologue, first + own, output);
  }
  __syncthreads();
  if (wide) {
    tile.store<pack>(output.y + first * length);
  } else {
    tile.store<1>(output.y + first * length);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
