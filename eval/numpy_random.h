#pragma once

// (internal to eval/) The part of NumPy's legacy RandomState that published metrics depend on.

#include <cstdint>
#include <random>
#include <vector>

namespace gestalt::eval {

class NumpyRandomState {
 public:
  explicit NumpyRandomState(uint32_t seed) : engine_(seed) {}

  // numpy.random.RandomState.choice(population, size, replace=False); size <= population.
  std::vector<int64_t> choice(int64_t population, int64_t size);

 private:
  uint32_t interval(uint32_t largest);  // uniform in [0, largest]

  std::mt19937 engine_;
};

}  // namespace gestalt::eval
