#pragma once

// Losses of the steps since somebody last looked, left on the device: noting a step is one copy
// there.

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt::tools {

// Steps whose losses may wait in every training: so late is a bad one seen, at the latest. Enough
// that the wait for the device is a small part of them, where a step takes a few milliseconds.
inline constexpr int64_t most_waiting_steps = 100;

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
