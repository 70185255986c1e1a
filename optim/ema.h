#pragma once

// ExponentialMovingAverage: average = decay * average + (1 - decay) * parameter at each update();
// the first average is a copy of the parameters.
//
// Of parameters alone: batch norm's running statistics go over by copy_buffers (nn/module.h).
//
// Averages are f32 (f64 for f64 parameters): in 16 bits the small changes would be rounded away.
// State: average.{index}; loading is all or nothing, into the tensors that averages() has. Saved
// states share memory with the averages.

#include <vector>

#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt::optim {

class ExponentialMovingAverage {
 public:
  ExponentialMovingAverage(std::vector<Tensor> parameters, double decay);

  void update();
  const std::vector<Tensor>& averages() const { return averages_; }  // in the parameters' order
  // Sets other tensors (an evaluation model's parameters, in the same order) to the averages.
  void copy_to(const std::vector<Tensor>& parameters) const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  std::vector<Tensor> parameters_, averages_;
  double decay_;
};

}  // namespace gestalt::optim
