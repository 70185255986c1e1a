#pragma once

// (internal to nn/) Runs of layers that one kernel does, for Sequential: a convolution or batch
// norm with the ReLU and the Top-K behind it, a ReLU with the Top-K behind it. The bits are those
// of the layers one after the other.

#include <span>

#include "nn/module.h"

namespace gestalt::nn {

struct FusedRun {
  size_t length = 0;  // layers that ran; 0: no fused form fits
  Tensor y;           // behind the last of them
};

// The longest fused form that the first layers have; none of them may be seen by a forward hook.
FusedRun run_fused(std::span<const Module::Child> layers, const Tensor& x);

}  // namespace gestalt::nn
