#include "data/sampler.h"

#include <gtest/gtest.h>
#include <set>

#include "tensor/random.h"
#include "tests/data/folders.h"

namespace gestalt::data {
namespace {

std::vector<int64_t> epoch_order(BatchSampler& sampler, int64_t epoch) {
  std::vector<int64_t> order;
  for (int64_t step = 0; step < sampler.steps(); ++step) {
    const std::vector<int64_t> batch = sampler.batch(epoch, step);
    order.insert(order.end(), batch.begin(), batch.end());
  }
  return order;
}

TEST(BatchSampler, InOrder) {
  BatchSampler sampler(7, {.batch_size = 3});
  EXPECT_EQ(sampler.steps(), 3);
  EXPECT_EQ(sampler.batch(4, 1), (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(sampler.batch(0, 2), (std::vector<int64_t>{6}));
  BatchSampler whole(7, {.batch_size = 3, .drop_last = true});
  EXPECT_EQ(whole.steps(), 2);
}

TEST(BatchSampler, EveryEpochIsAPermutation) {
  BatchSampler sampler(50, {.batch_size = 8, .shuffle = true, .seed = 3});
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<int64_t> order = epoch_order(sampler, epoch);
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(order[i], i);
  }
  EXPECT_EQ(orders.size(), 5u);
}

TEST(BatchSampler, AnyBatchCanBeAskedFor) {
  const SamplerOptions options{.batch_size = 8, .shuffle = true, .seed = 3};
  BatchSampler straight(50, options), resumed(50, options);
  const std::vector<int64_t> order = epoch_order(straight, 2);
  EXPECT_EQ(resumed.batch(2, 3), std::vector<int64_t>(order.begin() + 24, order.begin() + 32));
  resumed.batch(0, 0);
  EXPECT_EQ(epoch_order(resumed, 2), order);
}

TEST(BatchSampler, RejectsBadOptions) {
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "no images", error_of([] { BatchSampler(0, {}); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "batch size",
                      error_of([] { BatchSampler(5, {.batch_size = 0}); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "less than one batch",
                      error_of([] { BatchSampler(5, {.batch_size = 6, .drop_last = true}); }));
}

// No two samples share a random number, nor do neighbours in epoch and index.
TEST(SampleState, StreamsAreDisjoint) {
  std::set<double> values;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    for (int64_t index = 0; index < 25; ++index) {
      const PhiloxState state = sample_state(9, epoch, index);
      Generator random(state.seed);
      random.set_state(state);
      for (int i = 0; i < 255; ++i) values.insert(random.uniform_value());
    }
  }
  EXPECT_EQ(values.size(), 4u * 25 * 255);
}

}  // namespace
}  // namespace gestalt::data
