// Sums, products and powers of elements.

#include <cmath>
#include <limits>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/power.h"

namespace gestalt::cpu {

void add(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "add", [](auto a, auto b) { return a + b; }, y, a, b);
}

void subtract(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "subtract", [](auto a, auto b) { return a - b; }, y, a, b);
}

void multiply(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "multiply", [](auto a, auto b) { return a * b; }, y, a, b);
}

void divide(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "divide", [](auto a, auto b) { return a / b; }, y, a, b);
}

void add_scaled(Context&, const View& a, const View& b, double scale, const View& y) {
  elementwise_lanes(
      "add_scaled", [scale](auto a, auto b) { return a + LaneElement<decltype(b)>(scale) * b; }, y,
      a, b);
}

void add_scalar(Context&, const View& x, double scalar, const View& y) {
  if (y.dtype == DType::i64) {
    const auto whole = static_cast<int64_t>(scalar);
    elementwise<int64_t, int64_t>([whole](int64_t x) { return x + whole; }, y, x);
    return;
  }
  elementwise_lanes(
      "add_scalar", [scalar](auto x) { return x + LaneElement<decltype(x)>(scalar); }, y, x);
}

void multiply_scalar(Context&, const View& x, double scalar, const View& y) {
  elementwise_lanes(
      "multiply_scalar", [scalar](auto x) { return x * LaneElement<decltype(x)>(scalar); }, y, x);
}

namespace {

// f(power of that exponent, an f32 but for elements of f64) at each element, both of numbers or of
// lanes. The usual powers are what they are.
template <class F, class... Views>
void with_power(const char* name, double exponent, const F& f, const View& y, const Views&... x) {
  if (y.dtype != DType::f64) exponent = static_cast<float>(exponent);
  if (exponent == 0.5) {
    constexpr auto root = [](auto x) {
      constexpr auto infinity = std::numeric_limits<decltype(x)>::infinity();
      return x == -infinity ? infinity : std::sqrt(x + 0);  // of -0, 0, as std::pow has both
    };
    elementwise_floating(name, f(root), y, x...);
  } else if (exponent == -1) {
    elementwise_floating(name, f([](auto x) { return 1 / x; }), y, x...);
  } else if (exponent == 0 || !std::isfinite(exponent)) {
    elementwise_floating(name, f([exponent](auto x) { return std::pow(x, decltype(x)(exponent)); }),
                         y, x...);
  } else {
    elementwise_lanes(name, f(Power(exponent)), y, x...);
  }
}

}  // namespace

void power_scalar(Context&, const View& x, double exponent, const View& y) {
  constexpr const char* name = "power_scalar";
  if (exponent == 2) {
    elementwise_lanes(
        name, [](auto x) { return x * x; }, y, x);
  } else if (exponent == 3) {
    elementwise_lanes(
        name, [](auto x) { return x * x * x; }, y, x);
  } else {
    with_power(
        name, exponent, [](const auto& power) { return power; }, y, x);
  }
}

void power_scalar_backward(Context&, const View& dy, const View& x, double exponent,
                           const View& dx) {
  constexpr const char* name = "power_scalar_backward";
  if (exponent == 0) {  // a constant, at x = 0 too
    elementwise_floating(
        name, [](auto dy, auto) { return decltype(dy)(0); }, dx, dy, x);
  } else if (exponent == 2) {
    elementwise_floating(
        name, [](auto dy, auto x) { return dy * (2 * x); }, dx, dy, x);
  } else if (exponent == 3) {
    elementwise_floating(
        name, [](auto dy, auto x) { return dy * (3 * (x * x)); }, dx, dy, x);
  } else {
    with_power(
        name, exponent - 1,
        [exponent](const auto& power) {
          return [exponent, power](auto dy, auto x) {
            return dy * (LaneElement<decltype(x)>(exponent) * power(x));
          };
        },
        dx, dy, x);
  }
}

}  // namespace gestalt::cpu
