// exp of lanes: its error over the whole range, and the values at its ends.

#include "kernels/cpu/exp_lanes.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace gestalt::cpu {
namespace {

// exp of a few, by lanes and alone.
template <class E, int count>
void expect_close(const Lanes<E, count>& x, double units) {
  const Lanes<E, count> y = exp_lanes<E, count>(x);
  for (int j = 0; j < count; ++j) {
    const double expected = std::exp(static_cast<double>(x[j]));
    const double least = std::numeric_limits<E>::denorm_min();
    const double unit = std::max(expected * std::numeric_limits<E>::epsilon(), least);
    ASSERT_LE(std::abs(y[j] - expected), units * unit) << x[j];
    ASSERT_EQ((exp_lanes<E, 1>(x[j])), y[j]) << x[j];
  }
}

TEST(ExpLanes, WithinTwoUnitsInTheLastPlace) {
  const auto values = [](double first, double step) {
    Lanes<float, 8> x{};
    for (int j = 0; j < 8; ++j) x[j] = static_cast<float>(first + step * j);
    return x;
  };
  for (double first = -104; first < 88.5; first += 8e-3)
    expect_close<float, 8>(values(first, 1e-3), 2);
  for (double size = 1e-38; size < 1; size *= 1.1) {
    expect_close<float, 8>(values(-size, size / 3), 2);
  }
}

TEST(ExpLanes, OfDoubles) {
  expect_close<double, 4>(Lanes<double, 4>{-700.5, -1e-3, 0.3, 700}, 1);
}

TEST(ExpLanes, AtTheEnds) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const Lanes<float, 8> x{-infinity, infinity, NAN, 0, -1000, 1000, 89, -0.0f};
  const Lanes<float, 8> y = exp_lanes<float, 8>(x);
  const float expected[] = {0, infinity, NAN, 1, 0, infinity, infinity, 1};
  for (int j = 0; j < 8; ++j) {
    if (std::isnan(expected[j])) {
      EXPECT_TRUE(std::isnan(y[j]));
    } else {
      EXPECT_EQ(y[j], expected[j]) << j;
    }
  }
}

}  // namespace
}  // namespace gestalt::cpu
