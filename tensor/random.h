#pragma once

// Generator: random tensors and permutations from one seed, Philox4x32-10 (kernels/philox.h). The
// values are the same on every device and for every number of threads; every call takes the next
// offset of the stream, whatever its size.

#include <cstdint>
#include <vector>

#include "kernels/philox.h"
#include "tensor/tensor.h"

namespace gestalt {

class Generator {
 public:
  explicit Generator(uint64_t seed) : state_{seed, 0} {}

  // Everything there is to save; a generator with the same state gives the same values.
  PhiloxState state() const { return state_; }
  void set_state(const PhiloxState& state) { state_ = state; }
  // The state for one random op, which no later op gets.
  PhiloxState next() { return {state_.seed, state_.offset++}; }

  // New tensors of floating dtype.
  Tensor uniform(const Shape& shape, double low = 0, double high = 1,  // [low, high)
                 const TensorOptions& options = {});
  Tensor normal(const Shape& shape, double mean = 0, double deviation = 1,
                const TensorOptions& options = {});
  // In place: not differentiable, so not allowed where autograd follows y.
  void fill_uniform(const Tensor& y, double low, double high);
  void fill_normal(const Tensor& y, double mean, double deviation);

  double uniform_value(double low = 0, double high = 1);  // [low, high), 53 random bits
  int64_t integer(int64_t bound);                         // in [0, bound), bound > 0
  std::vector<int64_t> permutation(int64_t size);         // of 0 .. size-1, Fisher-Yates

 private:
  PhiloxState state_;
};

}  // namespace gestalt
