#pragma once

// Folds of arrays into fewer elements: sums, maxima and the like over any dimensions.
//
// A block works on some outputs with `lanes` threads each; a lane folds every lanes-th element of a
// chunk, then the lanes are folded pairwise in shared memory. Where there are more chunks than one,
// their results go through memory and a second kernel folds them. The order is that of the shapes
// alone, and no sum is made by atomics, so the same inputs give the same bits.
//
// Floor: the inputs are read once; one addition (f64 in dot) an element.
//
// A reduction R has: Value; identity(); map(i, x...) of element i; combine(a, b), which may be
// applied in any order; finish(value).

#include <cstdint>
#include <limits>
#include <utility>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/device/shared.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int reduce_threads = 256;

struct ReduceShape {
  int lanes;           // threads an output, a power of two
  bool columns;        // neighbouring threads have neighbouring outputs, not neighbouring elements
  int64_t chunk_size;  // elements of an output that a block folds; blockIdx.y counts the chunks
};

// Which output of its block and which lane of it a thread is.
struct ReduceLane {
  int output, lane;

  __device__ explicit ReduceLane(const ReduceShape& shape) {
    const int thread = static_cast<int>(threadIdx.x);
    const int outputs = reduce_threads / shape.lanes;
    output = shape.columns ? thread % outputs : thread / shape.lanes;
    lane = shape.columns ? thread / outputs : thread % shape.lanes;
  }
};

// The fold of all lanes' values, in lane 0.
template <class R>
__device__ typename R::Value fold_lanes(const R& reduction, const ReduceLane& at, int lanes,
                                        typename R::Value value) {
  using Value = typename R::Value;
  SharedMemory shared;
  const SharedArray<Value> values = shared.array<Value>(reduce_threads) + at.output * lanes;
  values[at.lane] = value;
  __syncthreads();
  for (int half = lanes / 2; half > 0; half /= 2) {
    if (at.lane < half) {
      value = reduction.combine(value, values[at.lane + half]);
      values[at.lane] = value;
    }
    __syncthreads();
  }
  return value;
}

template <class R, class... In, size_t... I>
__device__ typename R::Value map_at(const R& reduction, int64_t i, const int64_t* base,
                                    const int64_t* offset, std::index_sequence<I...>,
                                    const In*... x) {
  return reduction.map(i, x[base[I] + offset[I]]...);
}

// partial: [outputs, chunks], or null where there is one chunk: then y is written.
template <class R, class Out, class... In>
__global__ void reduce_kernel(R reduction, ReduceShape shape, StridedIndex<sizeof...(In)> folded,
                              StridedIndex<sizeof...(In) + 1> kept, typename R::Value* partial,
                              Out* y, const In*... x) {
  constexpr int inputs = sizeof...(In);
  const ReduceLane at(shape);
  const int64_t output =
      static_cast<int64_t>(blockIdx.x) * (reduce_threads / shape.lanes) + at.output;
  const int64_t begin = blockIdx.y * shape.chunk_size;
  const int64_t end = ::min(folded.numel, begin + shape.chunk_size);
  int64_t base[inputs + 1];
  typename R::Value value = reduction.identity();
  if (output < kept.numel) {
    kept.offsets(output, base);
    for (int64_t i = begin + at.lane; i < end; i += shape.lanes) {
      int64_t offset[inputs];
      folded.offsets(i, offset);
      value = reduction.combine(
          value, map_at(reduction, i, base, offset, std::index_sequence_for<In...>{}, x...));
    }
  }
  value = fold_lanes(reduction, at, shape.lanes, value);
  if (at.lane != 0 || output >= kept.numel) return;
  if (partial == nullptr) {
    y[base[inputs]] = reduction.finish(value);
  } else {
    partial[output * gridDim.y + blockIdx.y] = value;
  }
}

template <class R, class Out, int views>
__global__ void reduce_partials(R reduction, ReduceShape shape, StridedIndex<views> kept,
                                const typename R::Value* partial, int64_t chunks, Out* y) {
  const ReduceLane at(shape);
  const int64_t output =
      static_cast<int64_t>(blockIdx.x) * (reduce_threads / shape.lanes) + at.output;
  typename R::Value value = reduction.identity();
  if (output < kept.numel) {
    for (int64_t i = at.lane; i < chunks; i += shape.lanes) {
      value = reduction.combine(value, partial[output * chunks + i]);
    }
  }
  value = fold_lanes(reduction, at, shape.lanes, value);
  if (at.lane != 0 || output >= kept.numel) return;
  int64_t base[views];
  kept.offsets(output, base);
  y[base[views - 1]] = reduction.finish(value);
}

// ---- the reductions ----

template <class Out>
struct SumOf {
  using Value = float;
  float scale;
  __device__ float identity() const { return 0; }
  template <class T>
  __device__ float map(int64_t, T x) const {
    return load(x);
  }
  __device__ float combine(float a, float b) const { return a + b; }
  __device__ Out finish(float sum) const { return store<Out>(scale * sum); }
};

struct AbsoluteSum : SumOf<float> {
  template <class T>
  __device__ float map(int64_t, T x) const {
    return fabsf(load(x));
  }
};

// NaN wins: once in, no comparison puts it out.
template <class Out>
struct MaxOf {
  using Value = float;
  __device__ float identity() const { return -std::numeric_limits<float>::infinity(); }
  template <class T>
  __device__ float map(int64_t, T x) const {
    return load(x);
  }
  __device__ float combine(float a, float b) const { return b > a || b != b ? b : a; }
  __device__ Out finish(float value) const { return store<Out>(value); }
};

template <class Out>
struct MinOf : MaxOf<Out> {
  __device__ float identity() const { return std::numeric_limits<float>::infinity(); }
  __device__ float combine(float a, float b) const { return b < a || b != b ? b : a; }
};

struct AbsoluteMax : MaxOf<float> {
  __device__ float identity() const { return 0; }
  template <class T>
  __device__ float map(int64_t, T x) const {
    return fabsf(load(x));
  }
};

struct Dot {
  using Value = double;
  __device__ double identity() const { return 0; }
  template <class T>
  __device__ double map(int64_t, T a, T b) const {
    return static_cast<double>(load(a)) * static_cast<double>(load(b));
  }
  __device__ double combine(double a, double b) const { return a + b; }
  __device__ float finish(double sum) const { return static_cast<float>(sum); }
};

// The first NaN wins, else the first of the largest.
struct ArgMax {
  struct alignas(16) Value {
    int64_t index;
    float value;
    uint32_t unused;
  };
  __device__ Value identity() const {
    return {std::numeric_limits<int64_t>::max(), -std::numeric_limits<float>::infinity(), 0};
  }
  template <class T>
  __device__ Value map(int64_t i, T x) const {
    return {i, load(x), 0};
  }
  __device__ Value combine(const Value& a, const Value& b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (a_nan || a.value == b.value) return a.index < b.index ? a : b;
    return a.value > b.value ? a : b;
  }
  __device__ int64_t finish(const Value& value) const { return value.index; }
};

}  // namespace GESTALT_CUDA_NAMESPACE
