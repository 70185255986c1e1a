#pragma once

// Dropout (Srivastava et al. 2014): each element of x, any floating dtype and shape, becomes 0 with
// probability p in [0, 1), else x / (1 - p). Which ones is a pure function of (state, element
// index), the same on every device; nothing is saved for the gradient, which draws them again.

#include "kernels/philox.h"
#include "nn/module.h"

namespace gestalt::nn {

Tensor dropout(const Tensor& x, double p, const PhiloxState& state);

// The identity in evaluation. In training every forward takes the next offset of its stream:
// of {0, 0}, the same for all layers, until seed_dropout or set_state.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;
  void set_state(const PhiloxState& state) { state_ = state; }
  double p() const { return p_; }

 private:
  double p_;
  PhiloxState state_;
};

// Gives every dropout layer of the network its own stream for one step of a training: a pure
// function of (seed, step), so that a resumed training draws what an uninterrupted one does. Each
// layer may run once a step.
void seed_dropout(Module& network, uint64_t seed, uint64_t step);

// Whether any layer of the network draws: a Dropout with p > 0.
bool has_dropout(Module& network);

}  // namespace gestalt::nn
