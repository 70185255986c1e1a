#include "optim/lbfgs.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "kernels/table.h"
#include "optim/optimizer.h"
#include "optim/state.h"
#include "tensor/autograd.h"

namespace gestalt::optim {
namespace {

Tensor empty_like(const Tensor& x) {
  return Tensor::empty(x.shape(), {x.dtype(), x.device()});
}

// a + scale * b
Tensor add_scaled(const Tensor& a, const Tensor& b, double scale) {
  Tensor y = empty_like(a);
  Context& ctx = context(a.device());
  ctx.kernels().add_scaled(ctx, a.view(), b.view(), scale, y.view());
  return y;
}

Tensor multiplied(const Tensor& x, double scale) {
  Tensor y = empty_like(x);
  Context& ctx = context(x.device());
  ctx.kernels().multiply_scalar(ctx, x.view(), scale, y.view());
  return y;
}

// One element of a vector of scalars on the device.
View element(const Tensor& scalars, int64_t index) {
  return scalars.as_strided({1}, {1}, scalars.storage_offset() + index).view();
}

// The same number for every element of a tensor of `shape`.
View spread(const Tensor& scalars, int64_t index, const Shape& shape) {
  return scalars.as_strided(shape, Shape::filled(shape.rank(), 0), scalars.storage_offset() + index)
      .view();
}

// Scalars computed on the device and read back together.
class ReadBack {
 public:
  explicit ReadBack(const Tensor& like)
      : context_(context(like.device())),
        scalars_(Tensor::empty({4}, {like.dtype(), like.device()})) {}

  ReadBack& dot(const Tensor& a, const Tensor& b) {
    context_.kernels().dot(context_, a.view(), b.view(), element(scalars_, count_++));
    return *this;
  }
  ReadBack& norm(const Tensor& x, int order) {
    context_.kernels().absolute_norm(context_, x.view(), order, element(scalars_, count_++));
    return *this;
  }
  std::vector<double> read() const {
    return scalars_.as_strided({count_}, {1}, scalars_.storage_offset()).to_vector<double>();
  }

 private:
  Context& context_;
  Tensor scalars_;
  int64_t count_ = 0;
};

}  // namespace

LbfgsStepper::LbfgsStepper(const Tensor& point, const LbfgsOptions& options)
    : options_(options), shape_(point.shape()) {
  GESTALT_CHECK(point.dtype() == DType::f32 || point.dtype() == DType::f64,
                "[lbfgs] expected f32 or f64, got {}", point);
  GESTALT_CHECK(point.numel() > 0, "[lbfgs] nothing to optimize in {}", point);
  GESTALT_CHECK(options.learning_rate >= 0, "[lbfgs] learning rate must not be negative, is {}",
                options.learning_rate);
  GESTALT_CHECK(options.history_size >= 1, "[lbfgs] history size must be at least 1, is {}",
                options.history_size);
  point_ = empty_like(point);
  set_point(point);
}

int64_t LbfgsStepper::max_evaluations() const {
  return options_.max_evaluations.value_or(options_.max_iterations * 5 / 4);
}

Tensor LbfgsStepper::copied(const Tensor& tensor, const char* what) const {
  GESTALT_CHECK(tensor.defined() && tensor.shape() == shape_,
                "[lbfgs] {} must have shape {}, is {}", what, shape_, tensor);
  Tensor copy = empty_like(point_);
  copy.copy_(tensor.detach());
  return copy;
}

void LbfgsStepper::set_point(const Tensor& point) {
  GESTALT_CHECK(!needs_evaluation(), "[lbfgs] the point can't be set within a step");
  point_ = copied(point, "point");
}

void LbfgsStepper::begin_step() {
  GESTALT_CHECK(!needs_evaluation(), "[lbfgs] the step before has not ended");
  step_iterations_ = step_evaluations_ = 0;
  trial_ = point_;
  phase_ = Phase::initial;
}

void LbfgsStepper::request(double step, Phase phase) {
  trial_ = add_scaled(point_, direction_, step);
  phase_ = phase;
}

void LbfgsStepper::tell(double loss, const Tensor& gradient) {
  GESTALT_CHECK(needs_evaluation(), "[lbfgs] no evaluation was asked for");
  const NoGradGuard no_grad;
  Tensor own = copied(gradient, "gradient");
  ReadBack numbers(own);
  numbers.norm(own, 0);

  if (phase_ == Phase::line_search) {
    const auto values = numbers.dot(own, direction_).read();
    search_->tell({.loss = loss, .slope = values[1], .gradient = own, .gradient_norm = values[0]});
    if (!search_->done()) {
      request(search_->step(), Phase::line_search);
      return;
    }
    const LinePoint found = search_->result();
    const int64_t evaluations = search_->evaluations();
    search_.reset();
    step_ = found.step;
    point_ = add_scaled(point_, direction_, step_);
    finish_iteration(found.loss, found.gradient, found.gradient_norm, evaluations);
  } else if (phase_ == Phase::fixed_step) {
    finish_iteration(loss, own, numbers.read()[0], 1);
  } else {
    if (iterations_ == 0) numbers.norm(own, 1);
    const auto values = numbers.read();
    if (iterations_ == 0) gradient_norm1_ = values[1];
    initial_loss_ = loss_ = loss;
    gradient_ = own;
    gradient_norm_ = values[0];
    step_evaluations_ = 1;
    ++evaluations_;
    if (gradient_norm_ <= options_.tolerance_gradient || options_.max_iterations <= 0) {
      end_step();
    } else {
      iterate();
    }
  }
}

void LbfgsStepper::iterate() {
  ++step_iterations_;
  ++iterations_;
  const bool first = iterations_ == 1;
  if (first) {
    direction_ = multiplied(gradient_, -1);
    step_ = std::min(1.0, 1.0 / gradient_norm1_) * options_.learning_rate;
    scale_ = 1;
    history_.clear();
  } else {
    update_history();
    direction_ = two_loop_recursion();
    step_ = options_.learning_rate;
  }
  previous_gradient_ = gradient_;
  previous_loss_ = loss_;

  const auto numbers = ReadBack(gradient_).dot(gradient_, direction_).norm(direction_, 0).read();
  const double slope = numbers[0];
  direction_norm_ = numbers[1];
  if (slope > -options_.tolerance_change) {
    end_step();
    return;
  }

  if (options_.line_search == LineSearch::strong_wolfe) {
    StrongWolfeOptions search;
    search.max_iterations =
        options_.max_line_search_iterations.value_or(max_evaluations() - step_evaluations_);
    search_.emplace(
        LinePoint{
            .loss = loss_, .slope = slope, .gradient = gradient_, .gradient_norm = gradient_norm_},
        step_, direction_norm_, search);
    request(step_, Phase::line_search);
  } else {
    request(step_, Phase::fixed_step);
    point_ = trial_;
    // Nobody looks at the last point's gradient in this step.
    if (step_iterations_ == options_.max_iterations) end_step();
  }
}

void LbfgsStepper::finish_iteration(double loss, Tensor gradient, double gradient_norm,
                                    int64_t evaluations) {
  loss_ = loss;
  gradient_ = std::move(gradient);
  gradient_norm_ = gradient_norm;
  step_evaluations_ += evaluations;
  evaluations_ += evaluations;
  const bool ends = step_iterations_ == options_.max_iterations ||
                    step_evaluations_ >= max_evaluations() ||
                    gradient_norm_ <= options_.tolerance_gradient ||
                    // the largest magnitude in step * direction
                    std::abs(step_) * direction_norm_ <= options_.tolerance_change ||
                    std::abs(loss_ - previous_loss_) < options_.tolerance_change;
  if (ends) {
    end_step();
  } else {
    iterate();
  }
}

void LbfgsStepper::update_history() {
  Tensor y = add_scaled(gradient_, previous_gradient_, -1);
  Tensor s = multiplied(direction_, step_);
  const auto numbers = ReadBack(y).dot(y, s).dot(y, y).read();
  const double ys = numbers[0], yy = numbers[1];
  if (!(ys > 1e-10)) return;  // too little curvature to divide by
  if (static_cast<int64_t>(history_.size()) == options_.history_size) history_.pop_front();
  history_.push_back({std::move(y), std::move(s), 1 / ys});
  scale_ = ys / yy;
}

// The products of this recursion stay on the device: each is used by the kernel after it.
Tensor LbfgsStepper::two_loop_recursion() {
  Context& ctx = context(point_.device());
  const KernelTable& kernels = ctx.kernels();
  const int64_t size = static_cast<int64_t>(history_.size());
  const Tensor alpha = Tensor::empty({std::max<int64_t>(size, 1)}, point_.options());
  const Tensor beta = Tensor::empty({1}, point_.options());
  const Tensor product = empty_like(point_);

  const Tensor q = multiplied(gradient_, -1);
  for (int64_t i = size - 1; i >= 0; --i) {
    const Correction& entry = history_[i];
    kernels.dot(ctx, entry.point_change.view(), q.view(), element(alpha, i));
    kernels.multiply_scalar(ctx, element(alpha, i), entry.curvature, element(alpha, i));
    kernels.multiply(ctx, entry.gradient_change.view(), spread(alpha, i, shape_), product.view());
    kernels.subtract(ctx, q.view(), product.view(), q.view());
  }
  Tensor r = multiplied(q, scale_);
  for (int64_t i = 0; i < size; ++i) {
    const Correction& entry = history_[i];
    kernels.dot(ctx, entry.gradient_change.view(), r.view(), element(beta, 0));
    kernels.multiply_scalar(ctx, element(beta, 0), entry.curvature, element(beta, 0));
    kernels.subtract(ctx, element(alpha, i), element(beta, 0), element(beta, 0));
    kernels.multiply(ctx, entry.point_change.view(), spread(beta, 0, shape_), product.view());
    kernels.add(ctx, r.view(), product.view(), r.view());
  }
  return r;
}

// ---- state ----

StateDict LbfgsStepper::state_dict() const {
  GESTALT_CHECK(!needs_evaluation(), "[lbfgs] the state can be saved between steps only");
  StateDict state{{"x", point_}, number("n_iter", iterations_), number("func_evals", evaluations_)};
  if (iterations_ == 0) return state;
  state.push_back({"d", direction_});
  state.push_back(number("t", step_));
  state.push_back({"prev_flat_grad", previous_gradient_});
  state.push_back(number("prev_loss", previous_loss_));
  state.push_back(number("H_diag", scale_));
  std::vector<double> curvatures;
  for (size_t i = 0; i < history_.size(); ++i) {
    state.push_back({"old_dirs." + std::to_string(i), history_[i].gradient_change});
    state.push_back({"old_stps." + std::to_string(i), history_[i].point_change});
    curvatures.push_back(history_[i].curvature);
  }
  state.push_back(numbers("ro", curvatures));
  return state;
}

void LbfgsStepper::load_state_dict(const StateDict& state) {
  GESTALT_CHECK(!needs_evaluation(), "[lbfgs] a state can be loaded between steps only");
  LbfgsStepper loaded(point_, options_);
  loaded.point_ = copied(require("lbfgs", state, "x"), "x");
  loaded.load_history(state);
  *this = std::move(loaded);
}

void LbfgsStepper::load_history(const StateDict& state) {
  iterations_ = require_integer("lbfgs", state, "n_iter");
  evaluations_ = require_integer("lbfgs", state, "func_evals");
  if (iterations_ == 0) return;
  direction_ = copied(require("lbfgs", state, "d"), "d");
  step_ = require_number("lbfgs", state, "t");
  previous_gradient_ = copied(require("lbfgs", state, "prev_flat_grad"), "prev_flat_grad");
  previous_loss_ = require_number("lbfgs", state, "prev_loss");
  scale_ = require_number("lbfgs", state, "H_diag");
  const auto curvatures = require_numbers("lbfgs", state, "ro");
  for (size_t i = 0; i < curvatures.size(); ++i) {
    const std::string y = "old_dirs." + std::to_string(i), s = "old_stps." + std::to_string(i);
    history_.push_back({copied(require("lbfgs", state, y), y.c_str()),
                        copied(require("lbfgs", state, s), s.c_str()), curvatures[i]});
  }
  while (static_cast<int64_t>(history_.size()) > options_.history_size) history_.pop_front();
}

// ---- parameters ----

namespace {

Tensor flat_like(const std::vector<Tensor>& parameters) {
  GESTALT_CHECK(!parameters.empty(), "[lbfgs] no parameters");
  int64_t numel = 0;
  for (const Tensor& parameter : parameters) {
    check_same_kind("lbfgs", parameters[0], parameter);
    numel += parameter.numel();
  }
  return Tensor::zeros({numel}, {parameters[0].dtype(), parameters[0].device()});
}

// The part of `flat` from `offset` on, in the shape of `parameter`.
Tensor part(const Tensor& flat, int64_t offset, const Tensor& parameter) {
  return flat.as_strided(parameter.shape(), strides_of(parameter.shape(), Format::contiguous),
                         flat.storage_offset() + offset);
}

}  // namespace

Lbfgs::Lbfgs(std::vector<Tensor> parameters, const LbfgsOptions& options)
    : parameters_(std::move(parameters)), stepper_(flat_like(parameters_), options) {}

Tensor Lbfgs::gather(bool gradients) const {
  Tensor flat = flat_like(parameters_);
  int64_t offset = 0;
  for (const Tensor& parameter : parameters_) {
    const Tensor source = gradients ? parameter.grad() : parameter;
    if (source.defined()) part(flat, offset, parameter).copy_(source.detach());
    offset += parameter.numel();
  }
  return flat;
}

void Lbfgs::scatter(const Tensor& point) {
  const NoGradGuard no_grad;
  int64_t offset = 0;
  for (Tensor& parameter : parameters_) {
    parameter.copy_(part(point, offset, parameter));
    offset += parameter.numel();
  }
}

double Lbfgs::step(const std::function<double()>& closure) {
  stepper_.end_step();  // where a closure threw in the step before
  stepper_.set_point(gather(false));
  stepper_.begin_step();
  while (stepper_.needs_evaluation()) {
    scatter(stepper_.point());
    const double loss = closure();
    check_gradients("lbfgs", parameters_);
    stepper_.tell(loss, gather(true));
  }
  scatter(stepper_.point());
  return stepper_.initial_loss();
}

void Lbfgs::zero_grad() {
  for (Tensor& parameter : parameters_) parameter.set_grad({});
}

StateDict Lbfgs::state_dict() const {
  StateDict state = stepper_.state_dict();
  state.erase(state.begin());  // x
  return state;
}

void Lbfgs::load_state_dict(const StateDict& state) {
  LbfgsStepper loaded(gather(false), stepper_.options_);
  loaded.load_history(state);
  stepper_ = std::move(loaded);
}

}  // namespace gestalt::optim
