#include "optim/schedule.h"

#include <cmath>
#include <numbers>

#include "kernels/error.h"

namespace gestalt::optim {

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer) {
  for (size_t group = 0; group < optimizer.groups(); ++group) {
    bases_.push_back(optimizer.learning_rate(group));
  }
}

void Schedule::step() {
  apply(epoch_ + 1);
}

void Schedule::apply(int64_t epoch) {
  std::vector<double> rates;
  for (size_t group = 0; group < bases_.size(); ++group) {
    rates.push_back(learning_rate(epoch, bases_[group], optimizer_.learning_rate(group)));
  }
  set_all(rates);
  epoch_ = epoch;
}

// All or none.
void Schedule::set_all(const std::vector<double>& rates) {
  for (double rate : rates) check_not_negative("schedule", "the learning rate", rate);
  for (size_t group = 0; group < rates.size(); ++group) {
    optimizer_.set_learning_rate(rates[group], group);
  }
}

StateDict Schedule::state_dict() const {
  std::vector<double> last;
  for (size_t group = 0; group < bases_.size(); ++group) {
    last.push_back(optimizer_.learning_rate(group));
  }
  return {number("last_epoch", epoch_), numbers("base_lrs", bases_), numbers("_last_lr", last)};
}

void Schedule::load_state_dict(const StateDict& state) {
  const auto bases = require_numbers("schedule", state, "base_lrs");
  const auto last = require_numbers("schedule", state, "_last_lr");
  GESTALT_CHECK(bases.size() == bases_.size() && last.size() == bases_.size(),
                "[schedule] state is of {} parameter groups, the optimizer has {}", bases.size(),
                bases_.size());
  const int64_t epoch = require_integer("schedule", state, "last_epoch");
  set_all(last);
  epoch_ = epoch;
  bases_ = bases;
}

CosineSchedule::CosineSchedule(Optimizer& optimizer, int64_t period, double eta_min)
    : Schedule(optimizer), period_(period), eta_min_(eta_min) {
  GESTALT_CHECK(period > 0, "[cosine schedule] period must be positive, is {}", period);
}

double CosineSchedule::learning_rate(int64_t epoch, double base, double previous) const {
  const double pi = std::numbers::pi;
  const auto period = static_cast<double>(period_);
  // Out of a minimum the quotient below would be 0 / 0.
  if ((epoch - 1 - period_) % (2 * period_) == 0) {
    return previous + (base - eta_min_) * (1 - std::cos(pi / period)) / 2;
  }
  const auto now = static_cast<double>(epoch);
  return (1 + std::cos(pi * now / period)) / (1 + std::cos(pi * (now - 1) / period)) *
             (previous - eta_min_) +
         eta_min_;
}

StepSchedule::StepSchedule(Optimizer& optimizer, int64_t size, double factor)
    : Schedule(optimizer), size_(size), factor_(factor) {
  GESTALT_CHECK(size > 0, "[step schedule] step size must be positive, is {}", size);
}

double StepSchedule::learning_rate(int64_t epoch, double, double previous) const {
  return epoch % size_ == 0 ? previous * factor_ : previous;
}

LambdaSchedule::LambdaSchedule(Optimizer& optimizer, std::function<double(int64_t)> function)
    : Schedule(optimizer), function_(std::move(function)) {
  apply(0);
}

double LambdaSchedule::learning_rate(int64_t epoch, double base, double) const {
  return base * function_(epoch);
}

}  // namespace gestalt::optim
