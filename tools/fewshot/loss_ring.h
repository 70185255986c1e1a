#pragma once

// Losses of the steps since somebody last looked, left on the device: noting a step is one copy
// there.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "tools/fewshot/model.h"

namespace gestalt::tools {

class LossRing {
 public:
  LossRing(int64_t capacity, int64_t losses) : losses_(Tensor::zeros({capacity, losses})) {}

  // At most `capacity` between two calls of take().
  void note(int64_t step, const Tensor& losses);

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

// "the generator's feat_8.conv1.weight_orig": the first tensor of the model's state that holds what
// is not finite. Waits for the device.
std::optional<std::string> find_not_finite(const GanModel& model);

}  // namespace gestalt::tools
