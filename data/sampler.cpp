#include "data/sampler.h"

#include <algorithm>
#include <numeric>

#include "kernels/error.h"
#include "tensor/random.h"

namespace gestalt::data {
namespace {

// Streams of their own: the same seed also draws weights.
constexpr uint64_t order_stream = 0x4F52444552;
constexpr uint64_t sample_stream = 0x53414D504C45;

}  // namespace

BatchSampler::BatchSampler(int64_t size, const SamplerOptions& options)
    : size_(size), options_(options) {
  GESTALT_CHECK(options.batch_size >= 1, "[sampler] expected a batch size of at least 1, got {}",
                options.batch_size);
  GESTALT_CHECK(size >= 1, "[sampler] there are no images");
  GESTALT_CHECK(steps() >= 1, "[sampler] {} images are less than one batch of {}", size,
                options.batch_size);
}

int64_t BatchSampler::steps() const {
  const int64_t whole = size_ / options_.batch_size;
  return options_.drop_last || size_ % options_.batch_size == 0 ? whole : whole + 1;
}

std::vector<int64_t> BatchSampler::batch(int64_t epoch, int64_t step) {
  GESTALT_CHECK(epoch >= 0 && step >= 0 && step < steps(),
                "[sampler] step {} of epoch {} does not exist (an epoch has {})", step, epoch,
                steps());
  if (order_.empty() || (options_.shuffle && epoch != epoch_)) {
    if (options_.shuffle) {
      Generator generator(options_.seed ^ order_stream);
      generator.set_state({generator.state().seed, static_cast<uint64_t>(epoch)});
      order_ = generator.permutation(size_);
    } else {
      order_.resize(static_cast<size_t>(size_));
      std::iota(order_.begin(), order_.end(), 0);
    }
    epoch_ = epoch;
  }
  const int64_t begin = step * options_.batch_size;
  const int64_t end = std::min(begin + options_.batch_size, size_);
  return {order_.begin() + begin, order_.begin() + end};
}

PhiloxState sample_state(uint64_t seed, int64_t epoch, int64_t index) {
  GESTALT_CHECK(
      index >= 0 && index < (int64_t{1} << 32) && epoch >= 0 && epoch < (int64_t{1} << 24),
      "[sampler] image {} of epoch {} is beyond the random stream", index, epoch);
  const uint64_t sample = static_cast<uint64_t>(epoch) << 32 | static_cast<uint64_t>(index);
  return {seed ^ sample_stream, sample << 8};
}

}  // namespace gestalt::data
