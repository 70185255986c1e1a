#pragma once

// Activations beyond ReLU, as functions and as layers without parameters. Any floating dtype and
// format; gradients to x.

#include "nn/module.h"

namespace gestalt::nn {

// Gated linear unit (Dauphin et al. 2017): x [N,2C,...] to y [N,C,...], the first half of the
// channels times the sigmoid of the second.
Tensor glu(const Tensor& x);
Tensor swish(const Tensor& x);  // x * sigmoid(x) (Ramachandran et al. 2017)

class GLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Swish : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double slope) : slope_(slope) {}
  Tensor forward(const Tensor& x) override;

 private:
  double slope_;
};

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

}  // namespace gestalt::nn
