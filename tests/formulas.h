#pragma once

// The formulas of tests/fixtures/formulas.py: the same images and weights in both, without a file.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt::tests {

// The mixing of SplitMix64, its upper 24 bits, in [0, 1): f32 holds it.
inline double uniform(uint64_t index, uint64_t key) {
  uint64_t x = (index + (key << 32)) * 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  x = x ^ (x >> 31);
  return static_cast<double>(x >> 40) / (1 << 24);
}

// f32, on the CPU: scale * (uniform + shift).
inline Tensor uniform_tensor(const Shape& shape, uint64_t key, double scale = 1, double shift = 0) {
  std::vector<float> values(shape.numel());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(scale * (uniform(i, key) + shift));
  }
  return Tensor::from_vector(values, shape, {.device = Device{}});
}

// Weights of a well-scaled network with these names and shapes; every statistic counts. The key is
// the place in the sorted names.
inline StateDict formula_weights(const StateDict& shapes) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : shapes) {
    if (!entry.name.ends_with("num_batches_tracked")) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  StateDict state;
  for (const NamedTensor& entry : shapes) {
    const auto place = std::find(names.begin(), names.end(), entry.name);
    if (place == names.end()) continue;
    const uint64_t key = static_cast<uint64_t>(place - names.begin()) + 1;
    const Shape& shape = entry.tensor.shape();
    const bool filters = shape.rank() > 1;
    const bool positive = !filters && (entry.name.ends_with("weight") ||  // of a norm
                                       entry.name.ends_with("running_var"));
    const double scale =
        filters ? std::sqrt(24.0 / static_cast<double>(shape.numel() / shape[0])) : 0.4;
    state.push_back({entry.name, positive ? uniform_tensor(shape, key, 1, 0.5)
                                          : uniform_tensor(shape, key, scale, -0.5)});
  }
  return state;
}

}  // namespace gestalt::tests
