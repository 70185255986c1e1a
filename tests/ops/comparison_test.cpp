// The comparison of the OpCases.

#include <cmath>
#include <gtest/gtest.h>

#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

bool matches(double got, double expected, double tolerance) {
  const Shape shape{3};
  return compare({shape, {1, got, 2}}, {shape, {1, expected, 2}}, tolerance).ok;
}

TEST(Comparison, NumbersMatchWithinTheTolerance) {
  EXPECT_TRUE(matches(1.001, 1, 1e-3));
  EXPECT_FALSE(matches(1.01, 1, 1e-3));
  EXPECT_FALSE(compare(Array(Shape{2}), Array(Shape{1, 2}), 1).ok);
}

TEST(Comparison, NaNAndInfinityMatchThemselvesAlone) {
  for (const double tolerance : {0.0, 1e-3}) {
    for (const double value : {NAN, INFINITY, -INFINITY}) {
      EXPECT_TRUE(matches(value, value, tolerance)) << value;
      EXPECT_FALSE(matches(value, 1, tolerance)) << value;
      EXPECT_FALSE(matches(1, value, tolerance)) << value;
    }
    EXPECT_FALSE(matches(INFINITY, -INFINITY, tolerance));
  }
}

TEST(Comparison, ZerosHaveSignsWhereNothingIsAllowed) {
  EXPECT_TRUE(matches(0.0, -0.0, 1e-3));
  EXPECT_FALSE(matches(0.0, -0.0, 0));
  EXPECT_FALSE(matches(-0.0, 0.0, 0));
  EXPECT_TRUE(matches(-0.0, -0.0, 0));
}

}  // namespace
}  // namespace gestalt::cases
