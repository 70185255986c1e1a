#pragma once

// Sums over groups of a dense [N,C,H,W] array, and maps that know their group: a group is a channel
// of the batch (batch norm) or a channel of one image (channel statistics, AdaIN).

#include <type_traits>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int group_threads = 256;

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

// How the elements of a group are shared out: `count` parts of `length` elements, the last one
// shorter; a block takes one part of `width` groups. By the shape alone, so that sums have the same
// order on every device.
struct GroupParts {
  // Of a block: 64 reads a thread, which hides how it starts and ends; with less than this a group
  // of a batch norm would not spread over a whole GPU.
  static constexpr int64_t block_elements = 16384;
  static constexpr int64_t most = 512;  // two a thread of the block that adds them up

  int64_t width, count, length;

  explicit GroupParts(const Groups& groups) : width(groups.columns ? 32 : 1) {
    const auto quotient = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
    const int64_t wanted = quotient(groups.count * width, block_elements);
    const int64_t parts = wanted < 1 ? 1 : (wanted > most ? most : wanted);
    length = quotient(groups.count, parts);
    count = length > 0 ? quotient(groups.count, length) : 1;
  }
};

// Two sums over each group: op.map(group, origin, offset, a, b) adds an element's part to a and b;
// op.finish(group, origin, a, b) gets the sums. Sums are f64. With more than one part the sums of
// each go to partial[groups, parts, 2] instead, which PartialSums adds up in a second launch.
// Floor: one read of the arrays.
template <class Op>
__global__ void __launch_bounds__(group_threads)
    fold_groups(Groups layout, int64_t length, double* partial, Op op) {
  const int width = layout.columns ? 32 : 1;  // groups of this block
  const int strands = group_threads / width;  // threads of a group
  const int column = static_cast<int>(threadIdx.x) % width;
  const int strand = static_cast<int>(threadIdx.x) / width;
  const int64_t group = static_cast<int64_t>(blockIdx.x) * width + column;
  const bool present = group < layout.groups;
  const int64_t origin = present ? layout.origin(group) : 0;
  double a = 0, b = 0;
  if (present) {
    const int64_t begin = blockIdx.y * length;
    const int64_t end = layout.count - begin < length ? layout.count : begin + length;
#pragma unroll 4
    for (int64_t i = begin + strand; i < end; i += strands) {
      op.map(group, origin, origin + layout.offset(i), a, b);
    }
  }
  SharedMemory shared;
  const SharedArray<double> first = shared.array<double>(group_threads);
  const SharedArray<double> second = shared.array<double>(group_threads);
  const int at = static_cast<int>(threadIdx.x);
  first[at] = a;
  second[at] = b;
  __syncthreads();
  for (int half = strands / 2; half > 0; half /= 2) {
    if (strand < half) {
      first[at] += first[at + half * width];
      second[at] += second[at + half * width];
    }
    __syncthreads();
  }
  if (!present || strand != 0) return;
  if (partial == nullptr) {
    op.finish(group, origin, first[at], second[at]);
  } else {
    double* const sums = partial + 2 * (group * gridDim.y + blockIdx.y);
    sums[0] = first[at];
    sums[1] = second[at];
  }
}

// Adds up the parts' sums and finishes with op: a fold over [1, groups, 1, parts], where `layout`
// is that of op's own groups.
template <class Op>
struct PartialSums {
  const double* partial;
  Groups layout;
  Op op;

  __device__ void map(int64_t, int64_t, int64_t offset, double& a, double& b) const {
    a += partial[2 * offset];
    b += partial[2 * offset + 1];
  }
  __device__ void finish(int64_t group, int64_t, double a, double b) const {
    op.finish(group, layout.origin(group), a, b);
  }
};

// op.out[offset] = op(group, offset) for every element of the array. The elements of a thread are
// all read before the first is written: that many reads under way at once is what fills memory.
inline constexpr int map_elements = 4;

template <class Op>
__global__ void __launch_bounds__(group_threads) map_groups(Groups layout, Op op) {
  using T = std::remove_pointer_t<decltype(op.out)>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (group_threads * map_elements) +
                        static_cast<int64_t>(threadIdx.x);
  T values[map_elements];
#pragma unroll
  for (int i = 0; i < map_elements; ++i) {
    const int64_t offset = first + i * group_threads;
    if (offset < layout.numel) values[i] = op(layout.group_of(offset), offset);
  }
#pragma unroll
  for (int i = 0; i < map_elements; ++i) {
    const int64_t offset = first + i * group_threads;
    if (offset < layout.numel) op.out[offset] = values[i];
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
