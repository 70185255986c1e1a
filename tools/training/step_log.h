#pragma once

// Which of a training's steps are told of within an epoch (--log_every_steps).

#include <cstdint>
#include <optional>

#include "tensor/state_dict.h"

namespace gestalt::tools {

class StepLog {
 public:
  explicit StepLog(int64_t every) : every_(every) {}

  struct Row {
    int64_t step = 0;
    double loss = 0;  // mean of the steps since the row before
  };
  // The row that this step ends, if any: the first one at a multiple of `every` or behind it, since
  // a step without an image that can be read has no loss. Steps count from 1 over all epochs.
  std::optional<Row> add(int64_t step, double loss);

  // So that a run that goes on tells of the same steps. One from before this was kept begins after
  // `step`.
  StateDict state_dict() const;
  void load_state_dict(const StateDict& state, int64_t step);

 private:
  int64_t every_;
  int64_t told_ = 0, steps_ = 0;  // the last row's step, and how many there were since
  double loss_ = 0;               // their sum
};

}  // namespace gestalt::tools
