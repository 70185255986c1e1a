#pragma once

// y[i] = op(x[i]...) over arrays of one shape. y may be one of the x.
//
// Floor: every element is read and written once; the operations, one to a few dozen an element,
// take less time than the memory. The packed kernel moves 16 bytes of the widest type in an access.

#include <cstdint>
#include <utility>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int elementwise_threads = 256;
// Elements of a pack of arrays of these types.
template <class... Types>
inline constexpr int elementwise_pack = [] {
  size_t widest = 1;
  ((widest = sizeof(Types) > widest ? sizeof(Types) : widest), ...);
  return static_cast<int>(16 / widest);
}();

template <int size, class Op, class Out, class... In>
__device__ inline Pack<Out, size> apply_pack(const Op& op, const Pack<In, size>&... x) {
  Pack<Out, size> y;
  for (int k = 0; k < size; ++k) y.value[k] = op(x.value[k]...);
  return y;
}

// All arrays dense, in the same order and aligned to whole packs; a thread takes one pack.
template <class Op, class Out, class... In>
__global__ void elementwise_packed(int64_t numel, Op op, Out* y, const In*... x) {
  constexpr int size = elementwise_pack<Out, In...>;
  const int64_t begin = thread_number() * size;
  if (begin + size <= numel) {
    *reinterpret_cast<Pack<Out, size>*>(y + begin) = apply_pack<size, Op, Out, In...>(
        op, *reinterpret_cast<const Pack<In, size>*>(x + begin)...);
  } else {
    for (int64_t i = begin; i < numel; ++i) y[i] = op(x[i]...);
  }
}

template <class Op, class Out, class... In, size_t... I>
__device__ inline void apply_strided(const Op& op, const int64_t* offset, std::index_sequence<I...>,
                                     Out* y, const In*... x) {
  y[offset[0]] = op(x[offset[I + 1]]...);
}

template <class Op, class Out, class... In>
__global__ void elementwise_strided(StridedIndex<1 + sizeof...(In)> index, Op op, Out* y,
                                    const In*... x) {
  const int64_t i = thread_number();
  if (i >= index.numel) return;
  int64_t offset[1 + sizeof...(In)];
  index.offsets(i, offset);
  apply_strided(op, offset, std::index_sequence_for<In...>{}, y, x...);
}

// Computes with f on f32 whatever the element type.
template <class T, class F>
struct Floating {
  F f;
  template <class... In>
  __device__ T operator()(In... x) const {
    return store<T>(f(load(x)...));
  }
};

}  // namespace GESTALT_CUDA_NAMESPACE
