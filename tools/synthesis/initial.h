#pragma once

#include "models/synthesis.h"
#include "tools/synthesis/job.h"

namespace gestalt::tools {

// Where the optimization of `jobs` starts, u [N,3,S,S]: N(0,1) noise of each job's seed, or
// settings.init_image, within each target's range.
Tensor initial_parameters(const std::vector<Job*>& jobs, const models::BoundedImages& bounded,
                          const SynthesisSettings& settings);

}  // namespace gestalt::tools
