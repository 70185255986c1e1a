#pragma once

// One step of SGD, Adam(W) or a moving average on many parameters in one launch: the list of them
// travels in the kernel's parameters (at most 4 KB), and each block takes one chunk of one of them.
//
// Floor: SGD with momentum reads three and writes two arrays, Adam reads four and writes three, an
// average reads two and writes one; ten to twenty operations an element, an average's three.

#include <cstdint>

#include "kernels/cuda/device/convert.cuh"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline constexpr int optimizer_threads = 256;
inline constexpr int optimizer_chunk = 4096;  // elements of a block
inline constexpr int optimizer_list = 64;     // parameters of a launch

template <int states>
struct OptimizerEntry {
  void* parameter;  // is updated
  const void* gradient;
  float* state[states];
  int64_t numel;
};

// An average, and the parameter that it follows in the gradient's place.
template <>
struct OptimizerEntry<0> {
  void* parameter;
  const void* gradient;
  int64_t numel;
};

template <int states>
struct OptimizerList {
  int count = 0;
  unsigned first_block[optimizer_list + 1] = {0};  // of each entry; then their number
  OptimizerEntry<states> entries[optimizer_list];
};

// Calls update(p, g, state...) for each element of this block's chunk.
template <class T, class Gradient, int states, class Update>
__device__ inline void for_each_element(const OptimizerList<states>& list, const Update& update) {
  int low = 0, high = list.count - 1;  // the last entry whose first block is not beyond this one
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (list.first_block[middle] <= blockIdx.x) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const OptimizerEntry<states>& entry = list.entries[low];
  const int64_t begin = static_cast<int64_t>(blockIdx.x - list.first_block[low]) * optimizer_chunk;
  const int64_t end = ::min(entry.numel, begin + optimizer_chunk);
  T* parameter = static_cast<T*>(entry.parameter);
  const Gradient* gradient = static_cast<const Gradient*>(entry.gradient);
  for (int64_t i = begin + threadIdx.x; i < end; i += optimizer_threads) {
    parameter[i] = store<T>(update(load(parameter[i]), load(gradient[i]), entry, i));
  }
}

struct SgdUpdate {
  float learning_rate, momentum, fresh, weight_decay;
  bool has_momentum, first, nesterov;

  // The order of operations is torch.optim.SGD's.
  __device__ float operator()(float p, float g, const OptimizerEntry<1>& entry, int64_t i) const {
    g += weight_decay * p;
    if (!has_momentum) return p - learning_rate * g;
    // The first step sets the buffer: whatever is in it, NaN too, is not read.
    const float velocity = first ? g : momentum * entry.state[0][i] + fresh * g;
    entry.state[0][i] = velocity;
    return p - learning_rate * (nesterov ? g + momentum * velocity : velocity);
  }
};

struct AdamUpdate {
  float step_size, root_correction, epsilon, new1, beta2, new2, shrink, weight_decay;

  __device__ float operator()(float p, float g, const OptimizerEntry<2>& entry, int64_t i) const {
    p *= shrink;
    g += weight_decay * p;
    const float old_m = entry.state[0][i];
    const float to_gradient = g - old_m;  // from the end that is nearer, as torch.lerp
    const float m = new1 < 0.5f ? old_m + to_gradient * new1 : g - to_gradient * (1 - new1);
    const float v = entry.state[1][i] * beta2 + new2 * (g * g);
    entry.state[0][i] = m;
    entry.state[1][i] = v;
    return p - step_size * (m / (sqrtf(v) / root_correction + epsilon));
  }
};

struct AverageUpdate {
  float kept, fresh;

  __device__ float operator()(float average, float parameter, const OptimizerEntry<0>&,
                              int64_t) const {
    return kept * average + fresh * parameter;
  }
};

template <class T, class Gradient, int states, class Update>
__global__ void optimizer_kernel(OptimizerList<states> list, Update update) {
  for_each_element<T, Gradient>(list, update);
}

}  // namespace GESTALT_CUDA_NAMESPACE
