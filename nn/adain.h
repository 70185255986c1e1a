#pragma once

// Channel statistics and adaptive instance normalization (Huang and Belongie, 2017) of x [N,C,H,W],
// any floating dtype, H*W at least 2. Statistics are [N,C], f32 (f64 for f64 input), and stay right
// under large means. Gradients flow to the content, through its own statistics, and to the style's.

#include "tensor/tensor.h"

namespace gestalt::nn {

inline constexpr double adain_epsilon = 1e-5;

struct ChannelStats {
  Tensor mean;       // [N,C]
  Tensor deviation;  // [N,C], sqrt(unbiased variance + epsilon)
};

ChannelStats channel_stats(const Tensor& x, double epsilon = adain_epsilon);

// (content - mean) / deviation * style.deviation + style.mean, in content's dtype and format.
// Of an array as of its channel_stats, to the bit.
Tensor adain(const Tensor& content, const ChannelStats& style, double epsilon = adain_epsilon);
Tensor adain(const Tensor& content, const Tensor& style, double epsilon = adain_epsilon);

}  // namespace gestalt::nn
