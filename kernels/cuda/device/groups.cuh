#pragma once

// Sums over groups of a dense [N,C,H,W] array, and maps that know their group: a group is a channel
// of the batch (batch norm) or a channel of one image (channel statistics, AdaIN).

#include <type_traits>
#include <utility>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/device/warp.cuh"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int group_threads = 256;
inline constexpr int group_warps = group_threads / warp_lanes;
inline constexpr int group_columns = 32;  // groups of a block where neighbours are neighbours

struct Groups {
  int64_t groups, channels, pixels;
  int64_t count;  // elements of a group
  int64_t numel;
  int64_t stride_n, stride_c, stride_p;
  bool columns;   // neighbouring channels are neighbours in memory
  bool of_batch;  // group = channel, else group = image * channels + channel
  bool narrow;
  int64_t inner, middle;  // the last two dimensions as they lie in memory
  Divisor by_pixels, by_inner, by_middle;

  // x: dense [N,C,H,W], or [N,C].
  Groups(const View& x, bool of_batch) : of_batch(of_batch) {
    const int64_t images = x.shape[0];
    channels = x.shape[1];
    pixels = x.rank() == 4 ? x.shape[2] * x.shape[3] : 1;
    groups = of_batch ? channels : images * channels;
    count = of_batch ? images * pixels : pixels;
    numel = x.numel();
    columns = pixels == 1 || !x.is_contiguous();
    stride_n = channels * pixels;
    stride_c = columns ? 1 : pixels;
    stride_p = columns ? channels : 1;
    inner = columns ? channels : pixels;
    middle = columns ? pixels : channels;
    narrow = numel <= Divisor::most;
    if (narrow && numel > 0) {
      by_pixels = Divisor(static_cast<uint32_t>(pixels));
      by_inner = Divisor(static_cast<uint32_t>(inner));
      by_middle = Divisor(static_cast<uint32_t>(middle));
    }
  }

  __device__ int64_t origin(int64_t group) const {
    return of_batch ? group * stride_c : group / channels * stride_n + group % channels * stride_c;
  }
  // Of the i-th element of a group, from its origin.
  __device__ int64_t offset(int64_t i) const {
    if (!of_batch) return i * stride_p;
    const int64_t image = narrow ? by_pixels.divide(static_cast<uint32_t>(i)) : i / pixels;
    return image * stride_n + (i - image * pixels) * stride_p;
  }
  // The group of the element that lies at `offset` of the array.
  __device__ int64_t group_of(int64_t offset) const {
    const int64_t outer = narrow ? by_inner.divide(static_cast<uint32_t>(offset)) : offset / inner;
    const int64_t image = narrow ? by_middle.divide(static_cast<uint32_t>(outer)) : outer / middle;
    const int64_t channel = columns ? offset - outer * inner : outer - image * middle;
    return of_batch ? channel : image * channels + channel;
  }
};

// Groups of a channel of one image each, one behind the other: what Groups says of them, with less
// to compute.
struct ImageRows {
  int64_t count;
  __device__ int64_t origin(int64_t group) const { return group * count; }
  __device__ int64_t offset(int64_t i) const { return i; }
};

// How the elements of a group are shared out: `count` parts of `length` elements, the last one
// shorter; a block takes one part of `width` groups. By the shape alone, so that sums have the same
// order on every device.
struct GroupParts {
  // Of a block: 64 elements a thread, which hides how it starts and ends; with less than this a
  // group of a batch norm would not spread over a whole GPU.
  static constexpr int64_t block_elements = 16384;
  static constexpr int64_t most = 512;  // 16 a thread of the warp that adds them up
  static constexpr int64_t step = 8;    // a part begins where a pack of any type may begin

  int64_t width, count, length;

  explicit GroupParts(const Groups& groups) : width(groups.columns ? group_columns : 1) {
    const int64_t wanted = ceil_div(groups.count * width, block_elements);
    const int64_t parts = wanted < 1 ? 1 : (wanted > most ? most : wanted);
    length = round_up(ceil_div(groups.count, parts), step);
    count = length > 0 ? ceil_div(groups.count, length) : 1;
  }
};

// `size` neighbours of an array: one access where it is aligned to 16 bytes. Packs are the same
// whether it is or not, and so is the order of sums.
template <int size, class T>
__device__ inline Pack<T, size> read_pack(const T* from, bool aligned) {
  Pack<T, size> pack;
  if (size == 1 || aligned) {
    pack = *reinterpret_cast<const Pack<T, size>*>(from);
  } else {
#pragma unroll
    for (int i = 0; i < size; ++i) pack.value[i] = from[i];
  }
  return pack;
}
template <int size, class T>
__device__ inline void write_pack(const Pack<T, size>& pack, T* to, bool aligned) {
  if (size > 1 && aligned) {
    *reinterpret_cast<Pack<T, size>*>(to) = pack;
  } else {
#pragma unroll
    for (int i = 0; i < size; ++i) to[i] = pack.value[i];
  }
}

// What a fold makes of an element: two numbers to be summed.
struct Sample {
  float first = 0, second = 0;
};

// Two f64 sums over each group. A thread reads a run of elements, as packs of `size` neighbours,
// before it adds the first, which is what fills memory; the sums within a run are f32. The op has
//   column_run(size)                 packs in a run of fold_columns, as registers allow
//   load_pack<size>(offset, aligned) a pack of elements of its arrays
//   of(group, origin)                what is the same for all elements of a group
//   sample(of, pack, i)              of an element
//   add(samples, present, a, b)      the first `present` of a run; the rest are Sample{}
//   finish(group, origin, a, b)      gets the sums
// With more than one part the sums of each go to partial[groups, parts, 2] instead, which add_parts
// adds up in a second launch.
// Floor: one read of the arrays.

template <class Op>
__device__ inline void finish_fold(const Op& op, int64_t group, int64_t origin, double a, double b,
                                   double* partial) {
  if (partial == nullptr) {
    op.finish(group, origin, a, b);
  } else {
    double* const sums = partial + 2 * (group * gridDim.y + blockIdx.y);
    sums[0] = a;
    sums[1] = b;
  }
}

// The sums over the block, in every thread. `shared`: 2 * warp_lanes.
__device__ inline void block_sums(const SharedArray<double>& shared, double& a, double& b) {
  const int thread = static_cast<int>(threadIdx.x);
  a = warp_sum(a);
  b = warp_sum(b);
  if (thread % warp_lanes == 0) {
    shared[2 * (thread / warp_lanes)] = a;
    shared[2 * (thread / warp_lanes) + 1] = b;
  }
  __syncthreads();
  a = 0;
  b = 0;
  for (int warp = 0; warp < static_cast<int>(blockDim.x) / warp_lanes; ++warp) {
    a += shared[2 * warp];
    b += shared[2 * warp + 1];
  }
}

inline constexpr int row_run = 16;

// Threads that hold a row of so many elements, in whole warps.
__host__ __device__ constexpr int threads_to_hold(int64_t count) {
  constexpr unsigned of_warp = warp_lanes * row_run;
  return static_cast<int>((static_cast<unsigned>(count) + of_warp - 1) / of_warp * warp_lanes);
}

// Groups that lie in runs of pixels: this thread's share of the elements begin to end of one, for
// `threads` threads that take row_run elements at a time. of: op.of(group, origin).
template <int size, class Layout, class Op, class Of>
__device__ inline void sums_of_row(const Layout& layout, bool aligned, const Op& op, const Of& of,
                                   int64_t origin, int64_t begin, int64_t end, int threads,
                                   double& a, double& b) {
  constexpr int packs = row_run / size;
  const int step = threads * size;
  for (int64_t first = begin + static_cast<int>(threadIdx.x) * size; first < end;
       first += packs * step) {
    decltype(op.template load_pack<size>(0, aligned)) loaded[packs] = {};
#pragma unroll
    for (int p = 0; p < packs; ++p) {
      const int64_t i = first + p * step;
      if (i < end) loaded[p] = op.template load_pack<size>(origin + layout.offset(i), aligned);
    }
    Sample samples[row_run];
    int present = 0;
#pragma unroll
    for (int p = 0; p < packs; ++p) {
      if (first + p * step >= end) continue;
      present += size;
#pragma unroll
      for (int e = 0; e < size; ++e) samples[p * size + e] = op.sample(of, loaded[p], e);
    }
    op.add(samples, present, a, b);
  }
}

// Grid: groups, parts.
template <int size, class Op>
__global__ void __launch_bounds__(group_threads, 3)
    fold_rows(Groups layout, bool aligned, int64_t length, double* partial, Op op) {
  const int64_t group = blockIdx.x, origin = layout.origin(group);
  const int64_t begin = blockIdx.y * length;
  const int64_t end = layout.count - begin < length ? layout.count : begin + length;
  double a = 0, b = 0;
  sums_of_row<size>(layout, aligned, op, op.of(group, origin), origin, begin, end, group_threads, a,
                    b);
  SharedMemory shared;
  block_sums(shared.array<double>(2 * warp_lanes), a, b);
  if (threadIdx.x == 0) finish_fold(op, group, origin, a, b, partial);
}

// Groups that are neighbours in memory: a thread has `size` of them. Grid: blocks of group_columns
// groups, parts.
template <int size, class Op>
__global__ void __launch_bounds__(group_threads, 2)
    fold_columns(Groups layout, bool aligned, int64_t length, double* partial, Op op) {
  constexpr int run = size == 1 ? 16 : Op::column_run(size);
  constexpr int packs = group_columns / size;     // of a pixel
  constexpr int strands = group_threads / packs;  // threads of a group
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t block_group = static_cast<int64_t>(blockIdx.x) * group_columns;
  const int64_t group = block_group + thread % packs * size;
  const int64_t begin = blockIdx.y * length;
  const int64_t end = layout.count - begin < length ? layout.count : begin + length;
  double a[size] = {}, b[size] = {};
  if (group < layout.groups) {
    const int64_t origin = layout.origin(group);
    decltype(op.of(0, 0)) of[size];
#pragma unroll
    for (int e = 0; e < size; ++e) of[e] = op.of(group + e, origin + e);
    for (int64_t first = begin + thread / packs; first < end; first += run * strands) {
      decltype(op.template load_pack<size>(0, aligned)) loaded[run] = {};
#pragma unroll
      for (int r = 0; r < run; ++r) {
        const int64_t i = first + r * strands;
        if (i < end) loaded[r] = op.template load_pack<size>(origin + i * layout.channels, aligned);
      }
#pragma unroll
      for (int e = 0; e < size; ++e) {
        Sample samples[run];
        int present = 0;
#pragma unroll
        for (int r = 0; r < run; ++r) {
          if (first + r * strands >= end) continue;
          ++present;
          samples[r] = op.sample(of[e], loaded[r], e);
        }
        op.add(samples, present, a[e], b[e]);
      }
    }
  }
  SharedMemory shared;
  const SharedArray<double> first = shared.array<double>(group_warps * group_columns);
  const SharedArray<double> second = shared.array<double>(group_warps * group_columns);
  const int lane = thread % warp_lanes;
#pragma unroll
  for (int e = 0; e < size; ++e) {
    for (int step = warp_lanes / 2; step >= packs; step /= 2) {
      a[e] += __shfl_xor_sync(full_warp, a[e], step);
      b[e] += __shfl_xor_sync(full_warp, b[e], step);
    }
    if (lane < packs) {
      const int at = thread / warp_lanes * group_columns + lane * size + e;
      first[at] = a[e];
      second[at] = b[e];
    }
  }
  __syncthreads();
  if (thread >= group_columns || block_group + thread >= layout.groups) return;
  double sum_a = 0, sum_b = 0;
  for (int at = thread; at < group_warps * group_columns; at += group_columns) {
    sum_a += first[at];
    sum_b += second[at];
  }
  finish_fold(op, block_group + thread, layout.origin(block_group + thread), sum_a, sum_b, partial);
}

// A warp adds up the sums of a group's parts and finishes. Grid: groups / group_warps.
template <class Op>
__global__ void __launch_bounds__(group_threads)
    add_parts(Groups layout, int64_t parts, const double* partial, Op op) {
  const int64_t group = thread_number() / warp_lanes;
  if (group >= layout.groups) return;  // of whole warps
  const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
  double a = 0, b = 0;
  for (int64_t part = group * parts + lane; part < (group + 1) * parts; part += warp_lanes) {
    a += partial[2 * part];
    b += partial[2 * part + 1];
  }
  a = warp_sum(a);
  b = warp_sum(b);
  if (lane == 0) op.finish(group, layout.origin(group), a, b);
}

// Packs of a thread of map_groups: more would not fit into the registers of three blocks.
__host__ __device__ constexpr int map_packs(int size) {
  return size == 8 ? 2 : 4;
}

// op.out = op.value(of, pack, i) of a pack at `offset`. of: op.of of its group, or of each
// element's.
template <int size, class Op, class Loaded, class Of>
__device__ inline void map_pack(const Op& op, const Loaded& loaded, const Of& of, int64_t offset,
                                bool aligned) {
  if constexpr (size == 1) {
    op.out[offset] = op.value(of, loaded, 0);
  } else {
    Pack<std::remove_pointer_t<decltype(op.out)>, size> result;
#pragma unroll
    for (int e = 0; e < size; ++e) {
      if constexpr (std::is_array_v<Of>) {
        result.value[e] = op.value(of[e], loaded, e);
      } else {
        result.value[e] = op.value(of, loaded, e);
      }
    }
    write_pack(result, op.out + offset, aligned);
  }
}

// op.out = op.value(op.of(group), pack, i) for every element of the array; a pack has one group.
// The packs of a thread are all read before the first is written: that many reads under way at once
// is what fills memory. Blocks begin at the array's end, which a fold before read last: that is in
// the L2 cache still.
// Floor: one read of the arrays, one write.
template <int size, class Op>
__global__ void __launch_bounds__(group_threads, 3) map_groups(Groups layout, bool aligned, Op op) {
  constexpr int packs = map_packs(size);
  const int64_t block = gridDim.x - 1 - blockIdx.x;
  const int64_t first = (block * (group_threads * packs) + threadIdx.x) * size;
  decltype(op.template load_pack<size>(0, aligned)) loaded[packs];
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    const int64_t offset = first + p * (group_threads * size);
    if (offset < layout.numel) loaded[p] = op.template load_pack<size>(offset, aligned);
  }
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    const int64_t offset = first + p * (group_threads * size);
    if (offset >= layout.numel) continue;
    map_pack<size>(op, loaded[p], op.of(layout.group_of(offset)), offset, aligned);
  }
}

// How map_columns shares out packs of neighbouring groups. A block has `width` packs of each pixel
// and takes blockDim.x / width pixels at a time, `length` in all. A plane is what has the same
// groups: the batch, or an image.
struct ColumnTiles {
  int width;
  int64_t length;
  unsigned blocks;  // of a plane
};

// The same as map_groups for packs of neighbouring groups. A thread's are those of all its packs:
// op.of is found once, as it takes more instructions than a pack of 16 bytes has time for. Grid:
// blocks of all planes, tiles of `width` packs.
template <int size, class Op>
__global__ void __launch_bounds__(group_threads, 2)
    map_columns(Groups layout, ColumnTiles tiles, bool aligned, Op op) {
  using Loaded = decltype(op.template load_pack<size>(0, aligned));
  constexpr int ahead = sizeof(Loaded) > 16 ? 2 : 4;  // packs read at once: 64 bytes or more
  const int thread = static_cast<int>(threadIdx.x), row = thread / tiles.width;
  const int channel = (static_cast<int>(blockIdx.y) * tiles.width + thread % tiles.width) * size;
  if (channel >= layout.channels) return;
  const unsigned block = gridDim.x - 1 - blockIdx.x, plane = block / tiles.blocks;
  const int64_t begin = (block - plane * tiles.blocks) * tiles.length;
  const int64_t end = layout.count - begin < tiles.length ? layout.count : begin + tiles.length;
  const int64_t group = plane * layout.channels + channel;
  const int64_t origin = layout.origin(group);
  const int64_t step = static_cast<int>(blockDim.x) / tiles.width * layout.channels;
  const int64_t stop = origin + end * layout.channels;
  int64_t offset = origin + (begin + row) * layout.channels;
  Loaded loaded[ahead];
  const auto load_packs = [&] {
#pragma unroll
    for (int p = 0; p < ahead; ++p) {
      const int64_t at = offset + p * step;
      if (at < stop) loaded[p] = op.template load_pack<size>(at, aligned);
    }
  };
  load_packs();  // memory is at work while op.of is found
  decltype(op.of(0)) of[size];
#pragma unroll
  for (int e = 0; e < size; ++e) of[e] = op.of(group + e);
  while (offset < stop) {
#pragma unroll
    for (int p = 0; p < ahead; ++p) {
      const int64_t at = offset + p * step;
      if (at < stop) map_pack<size>(op, loaded[p], of, at, aligned);
    }
    offset += ahead * step;
    load_packs();
  }
}

// A group that lies in runs of pixels, held in the registers of a block's first threads_to_hold:
// up to row_run elements a thread.
template <int size, class Op, class Layout = Groups>
class HeldGroup {
 public:
  __device__ HeldGroup(const Layout& layout, bool aligned, const Op& op, int64_t group)
      : layout_(layout), aligned_(aligned), origin_(layout.origin(group)) {
    for_each(
        [&](int p, int64_t offset) { loaded_[p] = op.template load_pack<size>(offset, aligned); });
  }

  __device__ int64_t origin() const { return origin_; }

  // This thread's share of the sums. of: op.of(group, origin).
  template <class Of>
  __device__ void sums(const Op& op, const Of& of, double& a, double& b) const {
    Sample samples[row_run];
    int present = 0;
    for_each([&](int p, int64_t) {
      present += size;
#pragma unroll
      for (int e = 0; e < size; ++e) samples[p * size + e] = op.sample(of, loaded_[p], e);
    });
    if (present > 0) op.add(samples, present, a, b);
  }

  // out = map.value(of, pack, i)
  template <class Map, class Of>
  __device__ void map(const Map& map, const Of& of) const {
    for_each([&](int p, int64_t offset) { map_pack<size>(map, loaded_[p], of, offset, aligned_); });
  }

 private:
  // f(p, offset) for the packs of this thread.
  template <class F>
  __device__ void for_each(const F& f) const {
    const int count = static_cast<int>(layout_.count);
    const int threads = threads_to_hold(count), thread = static_cast<int>(threadIdx.x);
    const int first = thread < threads ? thread * size : count;
    const int step = threads * size;
#pragma unroll
    for (int p = 0; p < row_run / size; ++p) {
      const int i = first + p * step;
      if (i < count) f(p, origin_ + layout_.offset(i));
    }
  }

  const Layout& layout_;
  bool aligned_;
  int64_t origin_;
  decltype(std::declval<const Op&>().template load_pack<size>(0,
                                                              true)) loaded_[row_run / size] = {};
};

// A fold, and a map that takes its sums, of groups that a block holds. map.of(group, a, b) stands
// for map.of(group). Grid: groups.
// Floor: one read of the arrays, one write.
inline constexpr int held_threads = 512;  // of up to 128 registers, which three arrays may take

template <int size, class Fold, class Map>
__global__ void __launch_bounds__(held_threads)
    fold_and_map(Groups layout, bool aligned, Fold fold, Map map) {
  const int64_t group = blockIdx.x;
  const HeldGroup<size, Fold> held(layout, aligned, fold, group);
  double a = 0, b = 0;
  held.sums(fold, fold.of(group, held.origin()), a, b);
  SharedMemory shared;
  block_sums(shared.array<double>(2 * warp_lanes), a, b);
  if (threadIdx.x == 0) fold.finish(group, held.origin(), a, b);
  held.map(map, map.of(group, a, b));
}

}  // namespace GESTALT_CUDA_NAMESPACE
