#pragma once

// Losses of the steps since somebody last looked, left on the device: noting a step is one copy
// there.

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt::tools {

class LossRing {
 public:
  LossRing(int64_t capacity, int64_t losses) : losses_(Tensor::zeros({capacity, losses})) {}

  // At most `capacity` between two calls of take().
  void note(int64_t step, const Tensor& losses);
  bool full() const { return static_cast<int64_t>(steps_.size()) == losses_.size(0); }

  struct Step {
    int64_t step = 0;
    std::vector<double> losses;
  };
  // Those noted since the last call, in order. Waits for the device.
  std::vector<Step> take();

 private:
  Tensor losses_;  // [capacity, losses]
  std::vector<int64_t> steps_;
};

}  // namespace gestalt::tools
