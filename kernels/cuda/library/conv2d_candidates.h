#pragma once

// The ways in which cuDNN proposes to do a convolution, for bench_gpu --convolutions: whether the
// one that the library takes is the fastest. Those compiled at their first use only where that is
// one.

#include <functional>
#include <string>
#include <vector>

#include "kernels/context.h"
#include "kernels/cuda/library/conv2d_problem.h"

namespace gestalt::cuda {

struct Conv2dCandidate {
  int64_t engine = 0;  // cuDNN's number
  std::string notes;   // cuDNN's on its arithmetic: "tensor_core", "nondeterministic" ...
  size_t workspace_bytes = 0;
  bool is_chosen = false;     // what the library takes
  std::function<void()> run;  // one run on the context's stream; throws Error
};

// In cuDNN's order. run() overwrites the direction's result; the context and the arrays have to
// outlive the candidates.
std::vector<Conv2dCandidate> conv2d_candidates(Context& context, const Conv2dProblem& problem,
                                               const Conv2dArrays& arrays);

}  // namespace gestalt::cuda
