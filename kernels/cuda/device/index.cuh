#pragma once

// From the number of an element to its place in memory.

#include <cstdint>

#include "kernels/cuda/namespace.h"
#include "kernels/loop_nest.h"
#include "kernels/types.h"

namespace GESTALT_CUDA_NAMESPACE {

// Division of numbers below 2^31 by a divisor known to the host: a multiplication and a shift
// (Granlund and Montgomery 1994, "Division by invariant integers using multiplication").
struct Divisor {
  uint32_t divisor = 1, multiplier = 1, shift = 0;

  Divisor() = default;
  explicit Divisor(uint32_t by) : divisor(by) {
    while ((uint64_t{1} << shift) < by) ++shift;
    multiplier =
        static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - by)) / by + 1);
  }
  __device__ uint32_t divide(uint32_t number) const {
    return (__umulhi(number, multiplier) + number) >> shift;
  }
};

// The number of this thread in the grid's x dimension.
__device__ inline int64_t thread_number() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// The offsets, in elements, of `views` arrays of one shape. Elements are numbered with the last
// dimension fastest.
template <int views>
struct StridedIndex {
  int64_t numel = 0;
  int32_t rank = 0;
  bool narrow = true;  // numel < 2^31
  int64_t sizes[Shape::max_rank];
  Divisor divisors[Shape::max_rank];
  int64_t strides[Shape::max_rank][views];

  __device__ void offsets(int64_t number, int64_t (&offset)[views]) const {
    for (int v = 0; v < views; ++v) offset[v] = 0;
    if (narrow) {
      uint32_t rest = static_cast<uint32_t>(number);
      for (int dim = rank - 1; dim > 0; --dim) {
        const uint32_t quotient = divisors[dim].divide(rest);
        const int64_t index = rest - quotient * divisors[dim].divisor;
        for (int v = 0; v < views; ++v) offset[v] += index * strides[dim][v];
        rest = quotient;
      }
      for (int v = 0; v < views; ++v) offset[v] += rest * strides[0][v];
    } else {
      for (int dim = rank - 1; dim > 0; --dim) {
        const int64_t quotient = number / sizes[dim];
        const int64_t index = number - quotient * sizes[dim];
        for (int v = 0; v < views; ++v) offset[v] += index * strides[dim][v];
        number = quotient;
      }
      for (int v = 0; v < views; ++v) offset[v] += number * strides[0][v];
    }
  }
};

template <int views>
StridedIndex<views> to_index(const LoopNest<views>& nest) {
  StridedIndex<views> index;
  index.numel = nest.numel;
  index.rank = nest.rank;
  index.narrow = nest.numel < (int64_t{1} << 31);
  for (int dim = 0; dim < nest.rank; ++dim) {
    index.sizes[dim] = nest.sizes[dim];
    if (index.narrow && nest.numel > 0) {
      index.divisors[dim] = Divisor(static_cast<uint32_t>(nest.sizes[dim]));
    }
    for (int v = 0; v < views; ++v) index.strides[dim][v] = nest.strides[dim][v];
  }
  return index;
}

// An [N, C, H, W] array and its strides.
template <class T>
struct Image {
  T* data;
  int32_t n, c, h, w;
  int64_t stride_n, stride_c, stride_h, stride_w;

  explicit Image(const View& view)
      : data(view.as<T>()),
        n(static_cast<int32_t>(view.shape[0])),
        c(static_cast<int32_t>(view.shape[1])),
        h(static_cast<int32_t>(view.shape[2])),
        w(static_cast<int32_t>(view.shape[3])),
        stride_n(view.strides[0]),
        stride_c(view.strides[1]),
        stride_h(view.strides[2]),
        stride_w(view.strides[3]) {}

  // Where the plane (n, c) begins.
  __device__ T* plane(int in, int ic) const { return data + in * stride_n + ic * stride_c; }
  __device__ int64_t offset(int ih, int iw) const { return ih * stride_h + iw * stride_w; }
};

}  // namespace GESTALT_CUDA_NAMESPACE
