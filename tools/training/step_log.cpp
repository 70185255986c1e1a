#include "tools/training/step_log.h"

#include "optim/state.h"

namespace gestalt::tools {

std::optional<StepLog::Row> StepLog::add(int64_t step, double loss) {
  ++steps_;
  loss_ += loss;
  if (step / every_ == told_ / every_) return std::nullopt;
  const Row row{step, loss_ / static_cast<double>(steps_)};
  told_ = step;
  steps_ = 0;
  loss_ = 0;
  return row;
}

StateDict StepLog::state_dict() const {
  return {optim::number("told", told_), optim::number("steps", steps_),
          optim::number("loss", loss_)};
}

void StepLog::load_state_dict(const StateDict& state, int64_t step) {
  told_ = step;
  if (state.empty()) return;
  told_ = optim::require_integer("checkpoint", state, "told");
  steps_ = optim::require_integer("checkpoint", state, "steps");
  loss_ = optim::require_number("checkpoint", state, "loss");
}

}  // namespace gestalt::tools
