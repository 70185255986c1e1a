#pragma once

// Random values: element i of the logical (row-major) order is a pure function of (state, i); see
// kernels/philox.h. A thread makes the four elements of one Philox block.
//
// Floor: the output is written once; about 100 integer operations a block of four.

#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/device/index.cuh"
#include "kernels/cuda/namespace.h"
#include "kernels/philox.h"

namespace GESTALT_CUDA_NAMESPACE {

struct Uniform {
  float low, high, largest;
  __device__ void operator()(const PhiloxBlock& block, float (&value)[4]) const {
    for (int k = 0; k < 4; ++k) value[k] = philox_uniform(block.word[k], low, high, largest);
  }
};

struct Normal {
  float mean, deviation;
  __device__ void operator()(const PhiloxBlock& block, float (&value)[4]) const {
    philox_normal(block, value);
    for (int k = 0; k < 4; ++k) value[k] = philox_scale_normal(value[k], mean, deviation);
  }
};

template <class T, class Make>
__global__ void random_kernel(PhiloxState state, Make make, StridedIndex<1> index, T* y) {
  const int64_t block = thread_number();
  if (4 * block >= index.numel) return;
  float value[4];
  make(philox(state, static_cast<uint64_t>(block)), value);
  for (int k = 0; k < 4 && 4 * block + k < index.numel; ++k) {
    int64_t offset[1];
    index.offsets(4 * block + k, offset);
    y[offset[0]] = store<T>(value[k]);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
