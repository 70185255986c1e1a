#pragma once

// From optimized tensors to pictures: the published post-processing.

#include "data/image.h"
#include "tensor/tensor.h"

namespace gestalt::tools {

// An input image of a job, as decoded and as the network sees it.
struct SourceImage {
  data::Image original;  // [source height, source width]
  data::Image resized;   // [S, S]
  Tensor target;         // [1,3,S,S] f32, CPU, the network's input space
};

// Resized to size x size by Lanczos, brought to the network's input space.
SourceImage to_source(data::Image original, int64_t size);

// The result's histogram matched to the target's (per channel, 100 bins), then resized by Lanczos
// to the size of the source. `result`: [1,3,S,S], the network's input space.
data::Image finish_picture(const Tensor& result, const SourceImage& source);

}  // namespace gestalt::tools
