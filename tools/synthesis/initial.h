#pragma once

// Where the optimization starts.

#include "models/synthesis.h"
#include "tools/synthesis/job.h"

namespace gestalt::tools {

// settings.init_image, [1,3,S,S] for all jobs or [N,3,S,S], one for each of the run's, in the
// network's input space; undefined without one. A safetensors file, told by its content (its tensor
// `image`, else `result`, else `initial`), or a picture. Throws Error where it can't serve `jobs`
// jobs.
Tensor read_init_images(const SynthesisSettings& settings, size_t jobs);

// u [N,3,S,S] of `jobs`: their init images, or N(0,1) noise of their seeds where those are
// undefined, within each target's range.
Tensor initial_parameters(const std::vector<Job*>& jobs, const models::BoundedImages& bounded,
                          const Tensor& init_images, const SynthesisSettings& settings);

}  // namespace gestalt::tools
