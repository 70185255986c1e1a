#pragma once

// The order of a dataset's images: a pure function of (seed, epoch), so that any batch of any epoch
// can be asked for, and a job resumes at (epoch, step) without anything else saved.

#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace gestalt::data {

struct SamplerOptions {
  int64_t batch_size = 32;
  bool shuffle = false;    // by the permutation of (seed, epoch); else in the source's order
  bool drop_last = false;  // leave out the last batch of an epoch where it is smaller
  uint64_t seed = 0;
};

class BatchSampler {
 public:
  // Error: a batch size below 1, or no batch at all.
  BatchSampler(int64_t size, const SamplerOptions& options);

  int64_t steps() const;  // batches an epoch
  std::vector<int64_t> batch(int64_t epoch, int64_t step);

 private:
  int64_t size_;
  SamplerOptions options_;
  int64_t epoch_ = -1;          // whose order is
  std::vector<int64_t> order_;  // here
};

// Where the random numbers of one sample begin: a function of (seed, epoch, index) alone, disjoint
// for different samples as long as each takes less than 256. Error: index >= 2^32 or epoch >= 2^24.
PhiloxState sample_state(uint64_t seed, int64_t epoch, int64_t index);

}  // namespace gestalt::data
