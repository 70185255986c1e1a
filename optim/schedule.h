#pragma once

// Learning-rate schedules, as torch.optim.lr_scheduler. The optimizer's learning rates at
// construction are the bases; step() sets those of the next epoch (or whatever is counted). The
// optimizer must outlive its schedule. A learning rate below 0 or not finite is an Error, and all
// stay as they were.
//
// State: last_epoch, base_lrs, _last_lr. Loading, all or nothing, sets the optimizer's learning
// rates too.

#include <cstdint>
#include <functional>
#include <vector>

#include "optim/optimizer.h"

namespace gestalt::optim {

class Schedule {
 public:
  explicit Schedule(Optimizer& optimizer);
  virtual ~Schedule() = default;

  void step();
  int64_t epoch() const { return epoch_; }  // 0 before the first step()

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 protected:
  // Of `epoch`, from the base and the learning rate of the epoch before.
  virtual double learning_rate(int64_t epoch, double base, double previous) const = 0;
  void apply(int64_t epoch);

 private:
  void set_all(const std::vector<double>& rates);

  Optimizer& optimizer_;
  std::vector<double> bases_;  // one a group
  int64_t epoch_ = 0;
};

// eta_min + (base - eta_min) * (1 + cos(pi * epoch / period)) / 2, by torch's recursion, which
// also goes on rising and falling after `period` epochs.
class CosineSchedule : public Schedule {
 public:
  CosineSchedule(Optimizer& optimizer, int64_t period, double eta_min = 0);

 private:
  double learning_rate(int64_t epoch, double base, double previous) const override;
  int64_t period_;
  double eta_min_;
};

// Times `factor` every `size` epochs.
class StepSchedule : public Schedule {
 public:
  StepSchedule(Optimizer& optimizer, int64_t size, double factor = 0.1);

 private:
  double learning_rate(int64_t epoch, double base, double previous) const override;
  int64_t size_;
  double factor_;
};

// base * function(epoch); sets epoch 0's at once.
class LambdaSchedule : public Schedule {
 public:
  LambdaSchedule(Optimizer& optimizer, std::function<double(int64_t epoch)> function);

 private:
  double learning_rate(int64_t epoch, double base, double previous) const override;
  std::function<double(int64_t)> function_;
};

}  // namespace gestalt::optim
