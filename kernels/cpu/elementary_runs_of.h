#pragma once

// elementary_runs.h over vectors of `lanes` f32. A file that is compiled for other processors than
// the rest has a number of lanes to itself, so that the linker never takes its code for another's.

#include <cstring>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementary_runs.h"
#include "kernels/cpu/lanes.h"

namespace gestalt::cpu {

template <int lanes>
struct ElementaryRunsOf {
  using Values = Lanes<float, lanes>;

  // y[i] = f(x[i]...); what fills no vector is taken as one that ends with zeros.
  template <class F, class... In>
  static void run(const F& f, int64_t count, float* y, const In*... x) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      store_lanes<lanes>(f(load_lanes<lanes>(x + i)...), y + i);
    }
    if (i == count) return;
    const size_t bytes = static_cast<size_t>(count - i) * sizeof(float);
    const auto rest = [bytes](const float* from) {
      Values values{};
      std::memcpy(&values, from, bytes);
      return values;
    };
    const Values result = f(rest(x + i)...);
    std::memcpy(y + i, &result, bytes);
  }

  static void exp(const float* x, int64_t count, float* y) {
    run([](Values x) { return exp_lanes(x); }, count, y, x);
  }
  static void log(const float* x, int64_t count, float* y) {
    run([](Values x) { return log_lanes(x); }, count, y, x);
  }
  static void sigmoid(const float* x, int64_t count, float* y) {
    run([](Values x) { return sigmoid_lanes(x); }, count, y, x);
  }
  static void tanh(const float* x, int64_t count, float* y) {
    run([](Values x) { return tanh_lanes(x); }, count, y, x);
  }
  static void exp_below(const float* x, float most, int64_t count, float* y) {
    run([most](Values x) { return exp_lanes(x - most); }, count, y, x);
  }
  static void binary_cross_entropy(const float* x, const float* target, int64_t count, float* y) {
    run([](Values x, Values target) { return binary_cross_entropy_lanes(x, target); }, count, y, x,
        target);
  }
  static void binary_cross_entropy_gradient(float factor, const float* x, const float* target,
                                            int64_t count, float* y) {
    run([factor](Values x, Values target) { return factor * (sigmoid_lanes(x) - target); }, count,
        y, x, target);
  }

  static constexpr ElementaryRuns runs{
      exp, log, sigmoid, tanh, exp_below, binary_cross_entropy, binary_cross_entropy_gradient};
};

}  // namespace gestalt::cpu
