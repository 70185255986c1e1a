#pragma once

// The functions of elementary.h over runs of f32, with the widest vectors that the processor has.
// The bits are those of elementary.h, whatever the width and wherever in a run an element stands.

#include <cstdint>

namespace gestalt::cpu {

struct ElementaryRuns {
  // y[i] = f(x[i]) for i in [0, count); y may be x.
  using Function = void (*)(const float* x, int64_t count, float* y);

  Function exp, log, sigmoid, tanh;
  // y[i] = exp(x[i] - most)
  void (*exp_below)(const float* x, float most, int64_t count, float* y);
  // y[i] = -target[i] * log(p) - (1 - target[i]) * log(1 - p), p = sigmoid(x[i])
  void (*binary_cross_entropy)(const float* x, const float* target, int64_t count, float* y);
  // y[i] = factor * (p - target[i])
  void (*binary_cross_entropy_gradient)(float factor, const float* x, const float* target,
                                        int64_t count, float* y);
};

const ElementaryRuns& elementary_runs_avx512();  // only where has_avx512()
const ElementaryRuns& elementary_runs();         // for this processor

}  // namespace gestalt::cpu
