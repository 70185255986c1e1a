// Functions of one element and their gradients.

#include <cmath>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementary_runs.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/rectify.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {

void exp(Context&, const View& x, const View& y) {
  elementwise_run(
      "exp", elementary_runs().exp, [](double x) { return exp_lanes(x); }, y, x);
}

void log(Context&, const View& x, const View& y) {
  elementwise_run(
      "log", elementary_runs().log, [](double x) { return log_lanes(x); }, y, x);
}

void sqrt(Context&, const View& x, const View& y) {
  elementwise_floating(
      "sqrt", [](auto x) { return std::sqrt(x); }, y, x);
}

void sqrt_backward(Context&, const View& dy, const View& y, const View& dx) {
  elementwise_floating(
      "sqrt_backward", [](auto dy, auto y) { return dy / (2 * y); }, dx, dy, y);
}

void abs(Context&, const View& x, const View& y) {
  dispatch<FloatTypes>("abs", x, [&]<class T>(std::type_identity<T>) {
    if constexpr (sizeof(T) == 2) {  // without the sign, as the number that it is
      elementwise<uint16_t, uint16_t>(
          [](uint16_t bits) { return static_cast<uint16_t>(bits & TopKKey<T>::magnitude); }, y, x);
    } else {
      elementwise<T, T>([](T value) { return std::abs(value); }, y, x);
    }
  });
}

void abs_backward(Context&, const View& dy, const View& x, const View& dx) {
  elementwise_floating(
      "abs_backward",
      [](auto dy, auto x) {
        const auto if_negative = x < 0 ? -dy : decltype(dy)(0);
        return x > 0 ? dy : if_negative;
      },
      dx, dy, x);
}

void sigmoid(Context&, const View& x, const View& y) {
  elementwise_run(
      "sigmoid", elementary_runs().sigmoid, [](double x) { return sigmoid_lanes(x); }, y, x);
}

void sigmoid_backward(Context&, const View& dy, const View& y, const View& dx) {
  elementwise_floating(
      "sigmoid_backward", [](auto dy, auto y) { return dy * ((1 - y) * y); }, dx, dy, y);
}

void tanh(Context&, const View& x, const View& y) {
  elementwise_run(
      "tanh", elementary_runs().tanh, [](double x) { return tanh_lanes(x); }, y, x);
}

void tanh_backward(Context&, const View& dy, const View& y, const View& dx) {
  elementwise_floating(
      "tanh_backward", [](auto dy, auto y) { return dy * (1 - y * y); }, dx, dy, y);
}

// The comparisons below are written so that they are false for NaN, which then passes.

void relu(Context&, const View& x, const View& y) {
  dispatch<FloatTypes>("relu", x, [&]<class T>(std::type_identity<T>) {
    elementwise<T, T>([](T value) { return rectified(value); }, y, x);
  });
}

void relu_backward(Context&, const View& dy, const View& y, const View& dx) {
  dispatch<FloatTypes>("relu_backward", dy, [&]<class T>(std::type_identity<T>) {
    elementwise<T, T, T>([](T gradient, T value) { return where_positive(value, gradient); }, dx,
                         dy, y);
  });
}

void leaky_relu(Context&, const View& x, double slope, const View& y) {
  elementwise_lanes(
      "leaky_relu",
      [slope](auto x) {
        const decltype(x) none{}, below = x * LaneElement<decltype(x)>(slope);
        return x > none ? x : below;
      },
      y, x);
}

void leaky_relu_backward(Context&, const View& dy, const View& x, double slope, const View& dx) {
  elementwise_floating(
      "leaky_relu_backward",
      [slope](auto dy, auto x) {
        const auto below = dy * decltype(x)(slope);
        return x > 0 ? dy : below;
      },
      dx, dy, x);
}

void clamp(Context&, const View& x, double low, double high, const View& y) {
  elementwise_floating(
      "clamp",
      [low, high](auto x) {
        using T = decltype(x);
        const T raised = x < T(low) ? T(low) : x;
        return raised > T(high) ? T(high) : raised;
      },
      y, x);
}

void clamp_backward(Context&, const View& dy, const View& x, double low, double high,
                    const View& dx) {
  elementwise_floating(
      "clamp_backward",
      [low, high](auto dy, auto x) {
        using T = decltype(x);
        const bool inside = (x >= T(low)) & (x <= T(high));
        return inside ? dy : T(0);
      },
      dx, dy, x);
}

}  // namespace gestalt::cpu
