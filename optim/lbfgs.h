#pragma once

// L-BFGS with the decisions of torch.optim.LBFGS, evaluation by evaluation.
//
// LbfgsStepper asks for evaluations instead of making them, so that one loop can drive many of them
// side by side and evaluate all their points in one batch; each goes its way as if it were alone:
//
//   stepper.begin_step();
//   while (stepper.needs_evaluation()) {
//     auto [loss, gradient] = evaluate(stepper.point());
//     stepper.tell(loss, gradient);
//   }
//   use(stepper.point());
//
// Lbfgs is that loop around a closure, for parameters.
//
// A step makes up to max_iterations iterations. An iteration computes a direction from the last
// history_size changes of point and gradient (two-loop recursion) and either searches along it
// (StrongWolfe, from step length learning_rate) or goes learning_rate along it. The very first
// iteration of all goes down the gradient g, from step length min(1, 1/|g|_1) * learning_rate.
//
// dtypes: f32 and f64, on any device. Vectors stay on the device; what is read back are two numbers
// an evaluation and four an iteration. Dot products are summed in f64 and rounded to the data's
// dtype; the line search, the step length and the curvatures are f64 (torch has those in the data's
// dtype). So in f64 the decisions are torch's; in f32 the paths part by rounding errors.
//
// A NaN or infinite loss is compared as torch compares it, so nothing is thrown here; stop before
// telling where that is an error. Where torch fails with an IndexError (a NaN loss with a flat
// enough finite slope), that point is taken.
//
// State: torch's keys (d, t, old_dirs.i, old_stps.i, ro, H_diag, prev_flat_grad, prev_loss, n_iter,
// func_evals), between steps only; x, the point, is in the stepper's. A run that goes on from them
// repeats the uninterrupted one bit for bit. The tensors are snapshots that no later step changes.
// The options are not in it. Loading is all or nothing.
//
// Source: Liu and Nocedal 1989; Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "optim/strong_wolfe.h"
#include "tensor/state_dict.h"
#include "tensor/tensor.h"

namespace gestalt::optim {

enum class LineSearch { none, strong_wolfe };

struct LbfgsOptions {
  double learning_rate = 1;
  int64_t max_iterations = 20;                  // a step
  std::optional<int64_t> max_evaluations = {};  // a step; max_iterations * 5 / 4 by default
  double tolerance_gradient = 1e-7;             // of the gradient's largest magnitude
  double tolerance_change = 1e-9;               // of the loss and of the point's elements
  int64_t history_size = 100;
  LineSearch line_search = LineSearch::none;
  // Tries of a line search after its first. Nothing: what max_evaluations leaves, as the newest
  // PyTorch has it; with a number, as in PyTorch 1 and most of 2, a search may go past it.
  std::optional<int64_t> max_line_search_iterations = 25;
};

class LbfgsStepper {
 public:
  // Starts at a copy of `point`: any shape, at least one element.
  LbfgsStepper(const Tensor& point, const LbfgsOptions& options = {});

  void begin_step();
  bool needs_evaluation() const { return phase_ != Phase::idle; }
  // Where to evaluate, or, between steps, where the last one ended. Contiguous, in the shape given;
  // not changed later.
  const Tensor& point() const { return needs_evaluation() ? trial_ : point_; }
  // The loss at point() and its gradient there, in point()'s shape (copied).
  void tell(double loss, const Tensor& gradient);

  // Between steps: goes on from elsewhere with the history kept.
  void set_point(const Tensor& point);
  // At the start of the last step, which is what torch's step() returns.
  double initial_loss() const { return initial_loss_; }
  int64_t iterations() const { return iterations_; }    // in all
  int64_t evaluations() const { return evaluations_; }  // in all

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);

 private:
  friend class Lbfgs;
  enum class Phase { idle, initial, line_search, fixed_step };
  struct Correction {
    Tensor gradient_change, point_change;  // y, s
    double curvature;                      // 1 / (y . s)
  };

  int64_t max_evaluations() const;
  void iterate();  // one iteration, up to the next evaluation or the end of the step
  void update_history();
  Tensor two_loop_recursion();
  void request(double step, Phase phase);
  // After the move of an iteration: ends the step or iterates.
  void finish_iteration(double loss, Tensor gradient, double gradient_norm, int64_t evaluations);
  void end_step() { phase_ = Phase::idle; }

  Tensor copied(const Tensor& tensor, const char* what) const;
  void load_history(const StateDict& state);

  LbfgsOptions options_;
  Shape shape_;
  Tensor point_, trial_;

  // torch's state
  Tensor direction_;                // d
  double step_ = 0;                 // t
  std::deque<Correction> history_;  // oldest first
  double scale_ = 1;                // H_diag
  Tensor previous_gradient_;
  double previous_loss_ = 0;
  int64_t iterations_ = 0, evaluations_ = 0;

  // of the running step
  Phase phase_ = Phase::idle;
  std::optional<StrongWolfe> search_;
  Tensor gradient_;
  double loss_ = 0, initial_loss_ = 0;
  double gradient_norm_ = 0, direction_norm_ = 0;  // largest magnitudes
  double gradient_norm1_ = 0;                      // |g|_1, at the start of the first step of all
  int64_t step_iterations_ = 0, step_evaluations_ = 0;
};

class Lbfgs {
 public:
  // Parameters of one dtype on one device; together they are the point, in this order.
  Lbfgs(std::vector<Tensor> parameters, const LbfgsOptions& options = {});

  // The closure computes the loss and sets the parameters' gradients; one that is missing counts as
  // zero, and none at all is an Error. Returns the first loss.
  double step(const std::function<double()>& closure);
  void zero_grad();

  int64_t iterations() const { return stepper_.iterations(); }
  int64_t evaluations() const { return stepper_.evaluations(); }

  StateDict state_dict() const;  // without the parameters
  void load_state_dict(const StateDict& state);

 private:
  Tensor gather(bool gradients) const;
  void scatter(const Tensor& point);

  std::vector<Tensor> parameters_;
  LbfgsStepper stepper_;
};

}  // namespace gestalt::optim
