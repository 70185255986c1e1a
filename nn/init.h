#pragma once

// Initial weights by the field's rules, in place.

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// N(0, 2 / fan_out) for a convolution's weight [out, in, kh, kw], fan_out = out * kh * kw (He et
// al. 2015; torch's kaiming_normal_ with mode fan_out).
void init_kaiming_normal(Tensor& weight, Generator& generator);

void init_normal(Tensor& tensor, double mean, double deviation, Generator& generator);

}  // namespace gestalt::nn
