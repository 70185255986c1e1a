// The comparison that other tests lean on.

#include "tests/largest_difference.h"

#include <gtest/gtest.h>
#include <limits>
#include <span>
#include <vector>

namespace gestalt::tests {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

TEST(LargestDifference, IsThatOfTheFarthestElement) {
  EXPECT_EQ(largest_difference(Floats{1, -2, 3}, Doubles{1.5, 2, 3}), 4);
  EXPECT_EQ(largest_difference(Floats{1, 0}, Floats{1, -0.0f}), 0);
  EXPECT_EQ(largest_difference(Floats{}, Floats{}), 0);
  const Floats more{7, 1, 2, 7};
  EXPECT_EQ(largest_difference(std::span(more).subspan(1, 2), Doubles{1, 2}), 0);
}

TEST(LargestDifference, IsInfiniteWhereverNaNStands) {
  const Floats numbers{1, 2, 3};
  for (size_t i = 0; i < numbers.size(); ++i) {
    Floats with_nan = numbers;
    with_nan[i] = nan;
    EXPECT_EQ(largest_difference(with_nan, numbers), infinite) << i;
    EXPECT_EQ(largest_difference(numbers, with_nan), infinite) << i;
    EXPECT_EQ(largest_difference(with_nan, with_nan), infinite) << i;
  }
}

TEST(LargestDifference, IsInfiniteBetweenSizes) {
  EXPECT_EQ(largest_difference(Floats{1, 2}, Floats{1}), infinite);
  EXPECT_EQ(largest_difference(Floats{}, Floats{1}), infinite);
}

TEST(LargestDifference, EqualInfinitiesAreNone) {
  const Doubles infinities{infinite, -infinite};
  EXPECT_EQ(largest_difference(infinities, infinities), 0);
  EXPECT_EQ(largest_difference(infinities, Doubles{infinite, infinite}), infinite);
  EXPECT_EQ(largest_difference(infinities, Doubles{infinite, 1}), infinite);
}

}  // namespace
}  // namespace gestalt::tests
