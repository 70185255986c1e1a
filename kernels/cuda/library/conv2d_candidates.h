#pragma once

// Every way in which cuDNN can do a convolution, for bench_gpu --convolutions: whether the one that
// the library takes is the fastest.

#include <functional>
#include <string>
#include <vector>

#include "kernels/context.h"
#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt::cuda {

struct Conv2dCandidate {
  std::string algorithm, math;  // as cuDNN numbers and names them
  std::string determinism;      // "yes", "no"; "?" where cuDNN's ranking leaves it out
  int rank = 0;                 // in that ranking, from 1; 0: left out
  size_t workspace_bytes = 0;
  bool is_chosen = false;     // what the library takes
  std::function<void()> run;  // one run on the context's stream; throws Error
};

enum class Conv2dDirection : uint8_t { forward, backward_data, backward_weights };

// x, w and y: of the forward convolution, or their gradients; run() overwrites the direction's
// output. The context and the arrays have to outlive the result. In the order of cuDNN's ranking,
// then the pairs of algorithm and math type that it leaves out but has a workspace for.
std::vector<Conv2dCandidate> conv2d_candidates(Context& context, Conv2dDirection direction,
                                               const View& x, const View& w, const View& y,
                                               const Conv2dDesc& desc);

}  // namespace gestalt::cuda
