// Sums, products and powers of elements.

#include <cmath>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"

namespace gestalt::cpu {

void add(Context&, const View& a, const View& b, const View& y) {
  elementwise_floating(
      "add", [](auto a, auto b) { return a + b; }, y, a, b);
}

void subtract(Context&, const View& a, const View& b, const View& y) {
  elementwise_floating(
      "subtract", [](auto a, auto b) { return a - b; }, y, a, b);
}

void multiply(Context&, const View& a, const View& b, const View& y) {
  elementwise_floating(
      "multiply", [](auto a, auto b) { return a * b; }, y, a, b);
}

void divide(Context&, const View& a, const View& b, const View& y) {
  elementwise_floating(
      "divide", [](auto a, auto b) { return a / b; }, y, a, b);
}

void add_scaled(Context&, const View& a, const View& b, double scale, const View& y) {
  elementwise_floating(
      "add_scaled", [scale](auto a, auto b) { return a + decltype(b)(scale) * b; }, y, a, b);
}

void add_scalar(Context&, const View& x, double scalar, const View& y) {
  if (y.dtype == DType::i64) {
    const auto whole = static_cast<int64_t>(scalar);
    elementwise<int64_t, int64_t>([whole](int64_t x) { return x + whole; }, y, x);
    return;
  }
  elementwise_floating(
      "add_scalar", [scalar](auto x) { return x + decltype(x)(scalar); }, y, x);
}

void multiply_scalar(Context&, const View& x, double scalar, const View& y) {
  elementwise_floating(
      "multiply_scalar", [scalar](auto x) { return x * decltype(x)(scalar); }, y, x);
}

// Squares and cubes, the usual powers, are products: pow does not vectorize.
void power_scalar(Context&, const View& x, double exponent, const View& y) {
  constexpr const char* name = "power_scalar";
  if (exponent == 2) {
    elementwise_floating(
        name, [](auto x) { return x * x; }, y, x);
  } else if (exponent == 3) {
    elementwise_floating(
        name, [](auto x) { return x * x * x; }, y, x);
  } else {
    elementwise_floating(
        name, [exponent](auto x) { return std::pow(x, decltype(x)(exponent)); }, y, x);
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
    elementwise_floating(
        name,
        [exponent](auto dy, auto x) {
          using T = decltype(x);
          return dy * (T(exponent) * std::pow(x, T(exponent - 1)));
        },
        dx, dy, x);
  }
}

}  // namespace gestalt::cpu
