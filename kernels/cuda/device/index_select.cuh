#pragma once

// Rows by their numbers: y[..., k, ...] = x[..., indices[k], ...], and its gradient, the sums of
// the rows that were taken of the same one.
//
// Floor: every element that is taken is read and written once. Backward, a warp has 32 elements of
// one row of dx and looks for that row's number in all indices, 32 at a time: nothing is added by
// atomics, so the order is that of the indices, and nothing is sorted. That costs dx's elements
// times the indices over 1024 such looks, which is below the time of the memory for some hundreds
// of indices.

#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/warp.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// at: of y; of x with 0 at the dimension of the rows; of indices with 0 at all others.
template <class T>
__global__ void index_select_kernel(StridedIndex<3> at, int64_t rows, int64_t row_stride, T outside,
                                    T* y, const T* x, const int64_t* indices) {
  const int64_t i = thread_number();
  if (i >= at.numel) return;
  int64_t offset[3];
  at.offsets(i, offset);
  const int64_t row = indices[offset[2]];
  y[offset[0]] = row >= 0 && row < rows ? x[offset[1] + row * row_stride] : outside;
}

struct IndexSelectShape {
  int64_t rows, dx_row_stride;   // of dx
  int64_t taken, dy_row_stride;  // of dy: as many as indices
  int64_t index_stride;
  int64_t warps_a_row;
};

// at: of dx and dy without the dimension of the rows.
template <class T>
__global__ void index_select_backward_kernel(StridedIndex<2> at, IndexSelectShape shape, T* dx,
                                             const T* dy, const int64_t* indices) {
  const int64_t warp = thread_number() / warp_lanes;
  const int lane = static_cast<int>(threadIdx.x % warp_lanes);
  const int64_t row = warp / shape.warps_a_row;
  if (row >= shape.rows) return;  // whole warps
  const int64_t element = warp % shape.warps_a_row * warp_lanes + lane;
  const bool has_element = element < at.numel;
  int64_t offset[2];
  if (has_element) at.offsets(element, offset);
  float sum = 0;
  for (int64_t first = 0; first < shape.taken; first += warp_lanes) {
    const int64_t k = first + lane;
    const bool found = k < shape.taken && indices[k * shape.index_stride] == row;
    for (unsigned rest = __ballot_sync(full_warp, found); rest != 0; rest &= rest - 1) {
      const int64_t source = first + __ffs(static_cast<int>(rest)) - 1;
      if (has_element) sum += load(dy[offset[1] + source * shape.dy_row_stride]);
    }
  }
  if (has_element) dx[offset[0] + row * shape.dx_row_stride] = store<T>(sum);
}

}  // namespace GESTALT_CUDA_NAMESPACE
