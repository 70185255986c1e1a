// Elementary functions of lanes: their errors over the whole range, and the values at its ends.

#include "kernels/cpu/elementary.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace gestalt::cpu {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
using Few = Lanes<float, 8>;

constexpr float least = std::numeric_limits<float>::denorm_min();

// f of eight numbers, by lanes and alone, within `units` of the last place of `exact`.
template <class F, class Exact>
void expect_close(const Few& x, const F& f, const Exact& exact, double units) {
  const Few y = f(x);
  for (int j = 0; j < 8; ++j) {
    const double expected = exact(static_cast<double>(x[j]));
    const double unit = std::max<double>(std::abs(expected) * 0x1p-23, least);
    ASSERT_LE(std::abs(y[j] - expected), units * unit) << x[j];
    ASSERT_EQ(f(x[j]), y[j]) << x[j];
  }
}

// Over the floats of both signs from `smallest` to `largest`, every 1009th.
template <class F, class Exact>
void sweep(float smallest, float largest, float sign, const F& f, const Exact& exact,
           double units) {
  const auto end = std::bit_cast<uint32_t>(largest);
  for (uint32_t bits = std::bit_cast<uint32_t>(smallest); bits + 8 * 1009 < end; bits += 8 * 1009) {
    Few x{};
    for (uint32_t j = 0; j < 8; ++j) x[j] = sign * std::bit_cast<float>(bits + j * 1009);
    expect_close(x, f, exact, units);
  }
}

template <class F>
void expect_values(const F& f, const Few& x, const Few& expected) {
  const Few y = f(x);
  for (int j = 0; j < 8; ++j) {
    if (std::isnan(expected[j])) {
      EXPECT_TRUE(std::isnan(y[j])) << x[j];
    } else {
      EXPECT_EQ(y[j], expected[j]) << x[j];
      EXPECT_EQ(std::signbit(y[j]), std::signbit(expected[j])) << x[j];
    }
  }
}

constexpr auto exp_of = [](auto x) { return exp_lanes(x); };
constexpr auto log_of = [](auto x) { return log_lanes(x); };
constexpr auto sigmoid_of = [](auto x) { return sigmoid_lanes(x); };
constexpr auto tanh_of = [](auto x) { return tanh_lanes(x); };

TEST(Elementary, ExpIsClose) {
  for (const float sign : {1.0f, -1.0f}) {
    sweep(
        1e-38f, 88.5f, sign, exp_of, [](double x) { return std::exp(x); }, 1.5);
  }
  sweep(
      88.5f, 104, -1, exp_of, [](double x) { return std::exp(x); }, 1.5);
}

TEST(Elementary, LogIsClose) {
  sweep(
      least, infinity, 1, log_of, [](double x) { return std::log(x); }, 1.5);
}

TEST(Elementary, Log1pIsClose) {
  sweep(
      least, 1, 1, [](auto x) { return log1p_of_unit(x); }, [](double x) { return std::log1p(x); },
      1.5);
}

TEST(Elementary, SigmoidIsClose) {
  const auto exact = [](double x) { return 1 / (1 + std::exp(-x)); };
  sweep(least, 200, 1, sigmoid_of, exact, 3);
  sweep(least, 87, -1, sigmoid_of, exact, 3);
}

TEST(Elementary, TanhIsClose) {
  for (const float sign : {1.0f, -1.0f}) {
    sweep(
        least, 200, sign, tanh_of, [](double x) { return std::tanh(x); }, 2);
  }
}

TEST(Elementary, ValuesAtTheEnds) {
  expect_values(exp_of, Few{-infinity, infinity, NAN, 0, -1000, 1000, 89, -0.0f},
                Few{0, infinity, NAN, 1, 0, infinity, infinity, 1});
  expect_values(log_of, Few{-infinity, infinity, NAN, 0, -0.0f, 1, -1, -least},
                Few{NAN, infinity, NAN, -infinity, -infinity, 0, NAN, NAN});
  expect_values(sigmoid_of, Few{-infinity, infinity, NAN, 0, -0.0f, 1000, -1000, 50},
                Few{0, 1, NAN, 0.5f, 0.5f, 1, 0, 1});
  expect_values(tanh_of, Few{-infinity, infinity, NAN, 0, -0.0f, 1000, -1000, -20},
                Few{-1, 1, NAN, 0, -0.0f, 1, -1, -1});
}

TEST(Elementary, DoublesAreThoseOfTheLibrary) {
  const Lanes<double, 4> x{-700.5, -1e-3, 0.3, 700};
  for (int j = 0; j < 4; ++j) {
    EXPECT_EQ(exp_lanes(x)[j], std::exp(x[j]));
    EXPECT_EQ(tanh_lanes(x)[j], std::tanh(x[j]));
  }
}

}  // namespace
}  // namespace gestalt::cpu
