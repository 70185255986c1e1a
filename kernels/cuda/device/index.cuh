#pragma once

// From the number of an element to its place in memory.

#include <cstdint>

#include "kernels/cuda/namespace.h"
#include "kernels/loop_nest.h"
#include "kernels/types.h"

namespace GESTALT_CUDA_NAMESPACE {

// Division of numbers up to `most` by a divisor known to the host: a multiplication and a shift
// (Granlund and Montgomery 1994, "Division by invariant integers using multiplication").
struct Divisor {
  static constexpr int64_t most = 0x7fffffff;

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
  int64_t sizes[Shape::max_rank];
  Divisor divisors[Shape::max_rank];
  int64_t strides[Shape::max_rank][views];

  __device__ void offsets(int64_t number, int64_t (&offset)[views]) const {
    for (int v = 0; v < views; ++v) offset[v] = 0;
    if (numel <= Divisor::most) {
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
  for (int dim = 0; dim < nest.rank; ++dim) {
    index.sizes[dim] = nest.sizes[dim];
    if (nest.numel > 0 && nest.numel <= Divisor::most) {
      index.divisors[dim] = Divisor(static_cast<uint32_t>(nest.sizes[dim]));
    }
    for (int v = 0; v < views; ++v) index.strides[dim][v] = nest.strides[dim][v];
  }
  return index;
}

}  // namespace GESTALT_CUDA_NAMESPACE
