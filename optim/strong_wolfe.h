#pragma once

// StrongWolfe: a line search for a step t along a direction d that satisfies the strong Wolfe
// conditions
//   f(x + t d) <= f(x) + c1 t f'(x)   and   |f'(x + t d)| <= -c2 f'(x),   f' the slope along d,
// by bracketing and cubic interpolation, with the decisions of torch.optim.LBFGS (_strong_wolfe) in
// their order, comparisons with NaN included.
//
// It asks for evaluations instead of making them: while !done(), evaluate at step() and tell() what
// came. All arithmetic is in f64.
//
// Source: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6, as in minFunc.

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt::optim {

// What is known at one point of the line. The gradient is handed through, not looked at.
struct LinePoint {
  double step = 0;  // t
  double loss = 0;
  double slope = 0;  // gradient . direction
  Tensor gradient;
  double gradient_norm = 0;  // largest magnitude
};

struct StrongWolfeOptions {
  double c1 = 1e-4;
  double c2 = 0.9;
  double tolerance_change = 1e-9;  // of the bracket's length times the direction's largest element
  int64_t max_iterations = 25;     // evaluations after the first one
};

class StrongWolfe {
 public:
  // `start`: at step 0. direction_norm: the largest magnitude in the direction.
  StrongWolfe(LinePoint start, double first_step, double direction_norm,
              const StrongWolfeOptions& options = {});

  bool done() const { return phase_ == Phase::done; }
  double step() const { return step_; }  // to evaluate at
  void tell(LinePoint point);            // of step(); point.step is set here

  const LinePoint& result() const { return bracket_[low_]; }  // once done
  int64_t evaluations() const { return evaluations_; }

 private:
  enum class Phase { bracket, zoom, done };

  void tell_bracket(LinePoint point);
  void tell_zoom(LinePoint point);
  void begin_zoom(std::vector<LinePoint> bracket);
  void choose_zoom_step();
  void finish(std::vector<LinePoint> bracket);
  void order_bracket();
  bool is_too_high(const LinePoint& point) const;  // the first condition fails
  bool is_flat_enough(const LinePoint& point) const;

  StrongWolfeOptions options_;
  double direction_norm_;
  Phase phase_ = Phase::bracket;
  LinePoint start_, previous_;
  std::vector<LinePoint> bracket_;  // one point where bracketing itself found it, else two
  size_t low_ = 0, high_ = 0;       // in bracket_, by loss
  bool insufficient_progress_ = false;
  double step_;
  int64_t iterations_ = 0;
  int64_t evaluations_ = 0;
};

// The minimum in [low, high] of the cubic through two points with their slopes; the middle where
// the cubic has none.
double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high);

}  // namespace gestalt::optim
