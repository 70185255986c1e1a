// Powers of lanes: next to those of f64, rounded once, and std::pow's values at the ends.

#include "kernels/cpu/power.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace gestalt::cpu {
namespace {

using Few = Lanes<float, 8>;

constexpr float infinity = std::numeric_limits<float>::infinity();

// Half a unit of the last place, and what the double is off.
void expect_power(float x, float y, double exponent) {
  const double exact = std::pow(static_cast<double>(x), exponent);
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(exact)) {
    ASSERT_TRUE(std::isnan(y)) << x << '^' << exponent;
  } else if (!std::isfinite(rounded) || rounded == 0) {
    ASSERT_EQ(y, rounded) << x << '^' << exponent;
    ASSERT_EQ(std::signbit(y), std::signbit(rounded)) << x << '^' << exponent;
  } else {
    const double unit = std::max(std::exp2(std::floor(std::log2(std::abs(exact))) - 23), 0x1p-149);
    ASSERT_LE(std::abs(y - exact), 0.51 * unit) << x << '^' << exponent;
  }
}

constexpr double exponents[] = {1.5, -0.5, 1, -1, -2, 4, 5, -3, 0.1, 1.0 / 3, 2.2, 20.25, -7.75};

TEST(Power, IsThatOfDoublesRoundedOnce) {
  for (const double exponent : exponents) {
    const Power power(exponent);
    for (uint32_t bits = 1; bits < 0x7F800000; bits += 8 * 100003) {
      for (const float sign : {1.0f, -1.0f}) {
        Few x{};
        for (uint32_t j = 0; j < 8; ++j) {
          x[j] = sign * std::bit_cast<float>(std::min(bits + j * 100003, 0x7F7FFFFFu));
        }
        const Few y = power(x);
        for (int j = 0; j < 8; ++j) {
          expect_power(x[j], y[j], exponent);
          const float alone = power(float{x[j]});
          ASSERT_TRUE(alone == y[j] || (std::isnan(alone) && std::isnan(y[j]))) << x[j];
        }
      }
    }
  }
}

TEST(Power, NearOneWithLargeExponents) {
  for (const double exponent : {1e3, -1e3, 12345.5, 1e6}) {
    const Power power(exponent);
    for (int step = -2000; step <= 2000; ++step) {
      const float x = 1 + static_cast<float>(step) * 0x1p-20f;
      expect_power(x, power(x), exponent);
    }
  }
}

TEST(Power, ValuesAtTheEnds) {
  for (const double exponent : exponents) {
    const Power power(exponent);
    const Few x{0, -0.0f, infinity, -infinity, NAN, 1, -1, -2};
    const Few y = power(x);
    for (int j = 0; j < 8; ++j) {
      expect_power(x[j], y[j], exponent);
      expect_power(x[j], power(float{x[j]}), exponent);
    }
  }
}

TEST(Power, DoublesAreThoseOfTheLibrary) {
  const Lanes<double, 4> x{0.3, 2, 1e-300, -1};
  const Power power(1.7);
  for (int j = 0; j < 3; ++j) EXPECT_EQ(power(x)[j], std::pow(x[j], 1.7));
  EXPECT_TRUE(std::isnan(power(x)[3]));
}

}  // namespace
}  // namespace gestalt::cpu
