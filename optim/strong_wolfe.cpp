#include "optim/strong_wolfe.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace gestalt::optim {

double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const LinePoint& left = a.step <= b.step ? a : b;
  const LinePoint& right = a.step <= b.step ? b : a;
  const double minimum =
      right.step -
      (right.step - left.step) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  // In this order a NaN stays NaN, as it does in Python.
  return std::min(std::max(minimum, low), high);
}

StrongWolfe::StrongWolfe(LinePoint start, double first_step, double direction_norm,
                         const StrongWolfeOptions& options)
    : options_(options),
      direction_norm_(direction_norm),
      start_(std::move(start)),
      previous_(start_),
      step_(first_step) {}

bool StrongWolfe::is_too_high(const LinePoint& point) const {
  return point.loss > start_.loss + options_.c1 * point.step * start_.slope;
}

bool StrongWolfe::is_flat_enough(const LinePoint& point) const {
  return std::abs(point.slope) <= -options_.c2 * start_.slope;
}

void StrongWolfe::tell(LinePoint point) {
  GESTALT_CHECK(!done(), "[lbfgs] the line search is over and expects no evaluation");
  point.step = step_;
  ++evaluations_;
  if (phase_ == Phase::bracket) {
    tell_bracket(std::move(point));
  } else {
    tell_zoom(std::move(point));
  }
}

void StrongWolfe::tell_bracket(LinePoint point) {
  if (iterations_ >= options_.max_iterations) {
    finish({start_, std::move(point)});
    return;
  }
  if (is_too_high(point) || (iterations_ > 1 && point.loss >= previous_.loss)) {
    begin_zoom({previous_, std::move(point)});
    return;
  }
  if (is_flat_enough(point)) {
    finish({std::move(point)});
    return;
  }
  if (point.slope >= 0) {
    begin_zoom({previous_, std::move(point)});
    return;
  }
  // Still going down: further out.
  const double nearest = point.step + 0.01 * (point.step - previous_.step);
  const double farthest = point.step * 10;
  step_ = cubic_minimum(previous_, point, nearest, farthest);
  previous_ = std::move(point);
  ++iterations_;
}

void StrongWolfe::begin_zoom(std::vector<LinePoint> bracket) {
  phase_ = Phase::zoom;
  bracket_ = std::move(bracket);
  order_bracket();
  choose_zoom_step();
}

void StrongWolfe::finish(std::vector<LinePoint> bracket) {
  bracket_ = std::move(bracket);
  order_bracket();
  phase_ = Phase::done;
}

void StrongWolfe::order_bracket() {
  // A NaN in either makes the second the low one. A single point is both.
  low_ = bracket_.front().loss <= bracket_.back().loss ? 0 : bracket_.size() - 1;
  high_ = bracket_.size() - 1 - low_;
}

void StrongWolfe::choose_zoom_step() {
  const double from = std::min(bracket_[0].step, bracket_[1].step);
  const double to = std::max(bracket_[0].step, bracket_[1].step);
  if (iterations_ >= options_.max_iterations ||
      std::abs(bracket_[1].step - bracket_[0].step) * direction_norm_ < options_.tolerance_change) {
    phase_ = Phase::done;
    return;
  }
  step_ = cubic_minimum(bracket_[0], bracket_[1], from, to);

  // A step near an end of the bracket shrinks it little. Once that is let through; the second time
  // in a row, or at the very end, the step moves a tenth of the bracket inwards.
  const double margin = 0.1 * (to - from);
  if (std::min(to - step_, step_ - from) < margin) {
    if (insufficient_progress_ || step_ >= to || step_ <= from) {
      step_ = std::abs(step_ - to) < std::abs(step_ - from) ? to - margin : from + margin;
      insufficient_progress_ = false;
    } else {
      insufficient_progress_ = true;
    }
  } else {
    insufficient_progress_ = false;
  }
}

void StrongWolfe::tell_zoom(LinePoint point) {
  ++iterations_;
  LinePoint& low = bracket_[low_];
  LinePoint& high = bracket_[high_];
  if (is_too_high(point) || point.loss >= low.loss) {
    high = std::move(point);
    order_bracket();
  } else {
    const bool found = is_flat_enough(point);
    if (!found && point.slope * (high.step - low.step) >= 0) high = low;
    low = std::move(point);
    if (found) {
      phase_ = Phase::done;
      return;
    }
  }
  choose_zoom_step();
}

}  // namespace gestalt::optim
