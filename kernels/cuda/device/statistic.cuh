#pragma once

#include <cstdint>

#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// One f32 a group, or nothing.
struct Statistic {
  float* data = nullptr;
  int64_t stride = 1;

  __device__ bool present() const { return data != nullptr; }
  __device__ float& operator[](int64_t group) const { return data[group * stride]; }
};

}  // namespace GESTALT_CUDA_NAMESPACE
