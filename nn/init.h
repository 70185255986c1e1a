#pragma once

// Initial weights by the field's rules, in place.

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace gestalt::nn {

// N(0, 2 / fan_out) for a convolution's weight [out, in, kh, kw], fan_out = out * kh * kw (He et
// al. 2015; torch's kaiming_normal_ with mode fan_out).
void init_kaiming_normal(const Tensor& weight, Generator& generator);

// U(+-1/sqrt(fan_in)): PyTorch's default for weight and bias of convolutions and linear layers.
void init_fan_in_uniform(const Tensor& tensor, int64_t fan_in, Generator& generator);

void init_uniform(const Tensor& tensor, double low, double high,
                  Generator& generator);  // [low, high)
void init_normal(const Tensor& tensor, double mean, double deviation, Generator& generator);

// While one lives, what this thread's convolutions, linear layers and the functions above would
// draw stays undefined: for networks whose weights are loaded next, which takes as long as drawing
// them. Only a strict load_state_dict makes sure that nothing undefined is left.
class SkipInitGuard {
 public:
  explicit SkipInitGuard(bool skip = true);  // false: leaves things as they are
  ~SkipInitGuard();
  SkipInitGuard(const SkipInitGuard&) = delete;
  SkipInitGuard& operator=(const SkipInitGuard&) = delete;

 private:
  bool before_;
};

}  // namespace gestalt::nn
