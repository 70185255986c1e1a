#include "data/histogram.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "kernels/error.h"
#include "tests/images/fixtures.h"

namespace gestalt::data {
namespace {

TEST(MatchHistogram, AgreesWithNumPyAndSciPy) {
  const auto bytes = read_bytes(fixture("histogram.bin"));
  std::vector<double> values(bytes.size() / sizeof(double));
  ASSERT_GT(values.size(), 2u);
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(double));
  const size_t count = 3 * static_cast<size_t>(values[0]);
  const size_t target_count = 3 * static_cast<size_t>(values[1]);
  ASSERT_EQ(values.size(), 2 + 2 * count + target_count);
  const auto source_at = values.begin() + 2, target_at = source_at + count;
  const std::vector<float> source(source_at, target_at);
  const std::vector<float> target(target_at, target_at + target_count);
  std::vector<float> matched(count);
  match_histogram(source, target, matched);
  for (size_t i = 0; i < count; ++i) {
    const double expected = *(target_at + target_count + i);
    const double error = std::abs(matched[i] - expected);
    ASSERT_TRUE(error <= 1e-6 * std::abs(expected) + 1e-7)
        << i << ": " << matched[i] << " instead of " << expected;
  }
}

TEST(MatchHistogram, WorksInPlaceAndOnOtherSizes) {
  std::vector<float> image = {3, 1, 2, 2};
  match_histogram(image, std::vector<float>{0, 10, 20}, image, 1, 2);
  // Bins [0, 10) and [10, 20] hold 1 and 2 of 3 values; ranks are 4/4, 1/4, 2.5/4, 2.5/4.
  const std::vector<float> expected = {20, 7.5, 14.375, 14.375};
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(image[i], expected[i]);
}

TEST(MatchHistogram, EmptyBinsGiveTheirLowerEnd) {
  std::vector<float> image = {1, 2};
  match_histogram(image, std::vector<float>{0, 100}, image, 1, 100);
  EXPECT_FLOAT_EQ(image[0], 1);  // rank 1/2 is reached at the end of the first bin
  EXPECT_FLOAT_EQ(image[1], 100);
}

TEST(MatchHistogram, ConstantTargetGivesTheConstant) {
  std::vector<float> image = {1, 2, 3};
  match_histogram(image, std::vector<float>{7, 7}, image, 1);
  EXPECT_EQ(image, (std::vector<float>{7, 7, 7}));
}

TEST(MatchHistogram, RejectsBadInput) {
  std::vector<float> three(3), four(4), bad = {1, NAN, 2};
  EXPECT_THROW(match_histogram(three, three, four), Error);
  EXPECT_THROW(match_histogram(four, three, four), Error);
  EXPECT_THROW(match_histogram({}, three, {}), Error);
  EXPECT_THROW(match_histogram(bad, three, three), Error);
}

}  // namespace
}  // namespace gestalt::data
