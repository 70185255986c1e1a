#include "eval/numpy_random.h"

#include <bit>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/error.h"

namespace gestalt::eval {

// Draws are cut to the bits of `largest` and thrown away where they are still above it.
uint32_t NumpyRandomState::interval(uint32_t largest) {
  if (largest == 0) return 0;
  const uint32_t mask = std::numeric_limits<uint32_t>::max() >> std::countl_zero(largest);
  for (;;) {
    const uint32_t value = static_cast<uint32_t>(engine_()) & mask;
    if (value <= largest) return value;
  }
}

// The beginning of a permutation of the whole population, shuffled from its end.
std::vector<int64_t> NumpyRandomState::choice(int64_t population, int64_t size) {
  GESTALT_CHECK(size <= population && population <= std::numeric_limits<uint32_t>::max(),
                "[choice] expected to draw at most as many as there are, and these fewer than "
                "2^32, got {} of {}",
                size, population);
  std::vector<int64_t> all(population);
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = population - 1; i > 0; --i) {
    std::swap(all[i], all[interval(static_cast<uint32_t>(i))]);
  }
  all.resize(size);
  return all;
}

}  // namespace gestalt::eval
