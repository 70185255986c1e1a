#pragma once

// KID (Binkowski et al. 2018): the unbiased squared maximum mean discrepancy of two sets of
// features under the kernel (x . y / d + 1)^3, averaged over random subsets.
//
// Subsets are drawn as torch-fidelity draws them, with NumPy's RandomState: choice without
// replacement, first set then second, so that the same features give the same figure. Computed in
// f64; of either sign, and zero where no more than rounding (1e-12 of the terms) is left. A set has
// no distance of zero to itself: a kernel of two equal images counts between the sets, not within.
//
// Errors: fewer than two features in a set, different dimensions.

#include <cstdint>
#include <functional>

#include "tensor/tensor.h"

namespace gestalt::eval {

struct KernelDistanceOptions {
  int64_t subsets = 100;
  int64_t subset_size = 100;  // reduced to the smaller set's size where that is less
  uint32_t seed = 2020;
  std::function<bool()> interrupted = {};  // asked before each subset; where true, it ends
};

struct KernelDistance {
  double mean = 0;
  double deviation = 0;  // over the subsets, of the population; one has none: NaN
  int64_t subset_size = 0;
  bool interrupted = false;  // there are no figures
};

// features: [n,d], [m,d] of any floating dtype.
KernelDistance kernel_distance(const Tensor& features1, const Tensor& features2,
                               const KernelDistanceOptions& options = {});

}  // namespace gestalt::eval
