#pragma once

// The gated linear unit and its gradient, `size` neighbours a thread.
//
// Floor: forward reads x and writes y, half as long; backward reads dy and x and writes dx. One
// exponential and one division for each element of y, less time than the memory takes.

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int glu_threads = 256;

// y as rows of so many packs that lie as one, an image or a pixel; x has of each row the values,
// then the gates.
struct GatedRows {
  int64_t packs;   // of y
  int64_t length;  // packs of a row
  Divisor by_length;
  bool narrow;

  GatedRows(int64_t rows, int64_t length)
      : packs(rows * length), length(length), narrow(packs <= Divisor::most) {
    if (narrow && length > 0) by_length = Divisor(static_cast<uint32_t>(length));
  }
  // Of the values of y's pack, in packs of x; the gates lie `length` behind.
  __device__ int64_t values(int64_t pack) const {
    const int64_t row = narrow ? by_length.divide(static_cast<uint32_t>(pack)) : pack / length;
    return pack + row * length;
  }
};

// Of a gate: the sigmoid, and what it lacks of one, without the rounding of a difference.
struct OpenGate {
  float exponential, open;

  __device__ explicit OpenGate(float gate)
      : exponential(expf(-gate)), open(1 / (1 + exponential)) {}
  __device__ float closed() const { return fminf(exponential, FLT_MAX) * open; }  // no infinity * 0
};

template <int size, class T>
__global__ void __launch_bounds__(glu_threads)
    glu_packs(GatedRows rows, const Pack<T, size>* x, Pack<T, size>* y) {
  const int64_t number = thread_number();
  if (number >= rows.packs) return;
  const int64_t at = rows.values(number);
  const Pack<T, size> value = x[at], gate = x[at + rows.length];
  Pack<T, size> result;
#pragma unroll
  for (int i = 0; i < size; ++i) {
    result.value[i] = store<T>(load(value.value[i]) * OpenGate(load(gate.value[i])).open);
  }
  y[number] = result;
}

template <int size, class T>
__global__ void __launch_bounds__(glu_threads)
    glu_backward_packs(GatedRows rows, const Pack<T, size>* dy, const Pack<T, size>* x,
                       Pack<T, size>* dx) {
  const int64_t number = thread_number();
  if (number >= rows.packs) return;
  const int64_t at = rows.values(number);
  const Pack<T, size> gradient = dy[number], value = x[at], gate = x[at + rows.length];
  Pack<T, size> dvalue, dgate;
#pragma unroll
  for (int i = 0; i < size; ++i) {
    const OpenGate of(load(gate.value[i]));
    const float opened = load(gradient.value[i]) * of.open;
    dvalue.value[i] = store<T>(opened);
    dgate.value[i] = store<T>(opened * (load(value.value[i]) * of.closed()));
  }
  dx[at] = dvalue;
  dx[at + rows.length] = dgate;
}

}  // namespace GESTALT_CUDA_NAMESPACE
