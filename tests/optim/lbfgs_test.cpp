#include "optim/lbfgs.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "optim/state.h"
#include "tests/error_of.h"
#include "tests/optim/fixture.h"
#include "tests/optim/functions.h"

namespace gestalt::optim {
namespace {

const LbfgsOptions wolfe{.max_iterations = 4, .line_search = LineSearch::strong_wolfe};

void tell(LbfgsStepper& stepper, const Function& f) {
  const Evaluation e = f(stepper.point().to_vector<double>());
  stepper.tell(e.loss, vector(e.gradient));
}

void run_step(LbfgsStepper& stepper, const Function& f) {
  stepper.begin_step();
  while (stepper.needs_evaluation()) tell(stepper, f);
}

TEST(Lbfgs, ARunResumedFromItsStateRepeatsTheUninterruptedOne) {
  for (const LineSearch line_search : {LineSearch::strong_wolfe, LineSearch::none}) {
    LbfgsOptions options = wolfe;
    options.line_search = line_search;
    options.history_size = 3;
    if (line_search == LineSearch::none) options.learning_rate = 0.05;
    LbfgsStepper whole(vector({-1.2, 1, 0.5}), options);
    LbfgsStepper interrupted(vector({-1.2, 1, 0.5}), options);
    for (int step = 0; step < 6; ++step) {
      run_step(whole, rosenbrock);
      LbfgsStepper next(vector({0, 0, 0}), options);
      next.load_state_dict(copied(interrupted.state_dict()));
      run_step(next, rosenbrock);
      interrupted = std::move(next);
      ASSERT_EQ(interrupted.point().to_vector<double>(), whole.point().to_vector<double>());
      ASSERT_EQ(interrupted.evaluations(), whole.evaluations());
    }
    EXPECT_GT(whole.evaluations(), 12);
  }
}

TEST(Lbfgs, TheScaleOfTheFirstDirectionResumesToo) {
  LbfgsStepper whole(vector({-1.2, 1}), wolfe), resumed(vector({0, 0}), wolfe);
  run_step(whole, quadratic);
  resumed.load_state_dict(copied(whole.state_dict()));
  // A straight slope that begins as steep as the last gradient adds no curvature: the first
  // direction has the scale that was saved.
  const auto last = require("test", whole.state_dict(), "prev_flat_grad").to_vector<double>();
  const Function straight = [&](const Values& x) {
    return Evaluation{last[0] * x[0] + last[1] * x[1], last};
  };
  run_step(whole, straight);
  run_step(resumed, straight);
  EXPECT_EQ(resumed.evaluations(), whole.evaluations());
  EXPECT_EQ(resumed.point().to_vector<double>(), whole.point().to_vector<double>());
}

TEST(Lbfgs, ASavedStateDoesNotChangeLater) {
  LbfgsStepper stepper(vector({-1.2, 1}), wolfe);
  run_step(stepper, rosenbrock);
  const StateDict state = stepper.state_dict();
  const StateDict before = copied(state);
  run_step(stepper, rosenbrock);
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(state[i].tensor.to_vector<double>(), before[i].tensor.to_vector<double>())
        << state[i].name;
  }
}

TEST(Lbfgs, ManySideBySideGoAsEachAlone) {
  const std::vector<std::vector<double>> starts{{-1.2, 1}, {3, -2}, {0.9, 0.9}, {1, 1}};
  std::vector<std::vector<double>> alone;
  for (const auto& start : starts) {
    LbfgsStepper stepper(vector(start), wolfe);
    for (int step = 0; step < 3; ++step) run_step(stepper, rosenbrock);
    alone.push_back(stepper.point().to_vector<double>());
  }
  std::vector<LbfgsStepper> steppers;
  for (const auto& start : starts) steppers.emplace_back(vector(start), wolfe);
  for (int step = 0; step < 3; ++step) {
    for (LbfgsStepper& stepper : steppers) stepper.begin_step();
    for (bool any = true; any;) {
      any = false;
      for (LbfgsStepper& stepper : steppers) {
        if (!stepper.needs_evaluation()) continue;
        tell(stepper, rosenbrock);
        any = true;
      }
    }
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    EXPECT_EQ(steppers[i].point().to_vector<double>(), alone[i]);
  }
}

TEST(Lbfgs, AGradientThatTheCallerReusesIsNotLookedAtAgain) {
  LbfgsStepper fresh(vector({-1.2, 1}), wolfe), reused(vector({-1.2, 1}), wolfe);
  run_step(fresh, rosenbrock);
  Tensor buffer = vector({0, 0});
  reused.begin_step();
  while (reused.needs_evaluation()) {
    const Evaluation e = rosenbrock(reused.point().to_vector<double>());
    buffer.copy_(vector(e.gradient));
    reused.tell(e.loss, buffer);
    buffer.fill_(1e9);
  }
  EXPECT_EQ(reused.point().to_vector<double>(), fresh.point().to_vector<double>());
}

TEST(Lbfgs, TheLineSearchMayBeKeptWithinMaxEvaluations) {
  LbfgsOptions options = wolfe;
  options.max_evaluations = 5;
  const auto evaluations = [&] {
    LbfgsStepper stepper(vector({0.5}), options);
    run_step(stepper, slope);
    return stepper.evaluations();
  };
  EXPECT_EQ(evaluations(), 1 + 26);  // the search's first and 25 more
  options.max_line_search_iterations.reset();
  EXPECT_EQ(evaluations(), 1 + 1 + 4);
}

TEST(Lbfgs, F32MinimizesAndKeepsTheShape) {
  LbfgsStepper stepper(Tensor::full({1, 1, 1, 2}, -1, {.device = Device{}}),
                       {.max_iterations = 100, .line_search = LineSearch::strong_wolfe});
  stepper.begin_step();
  while (stepper.needs_evaluation()) {
    EXPECT_EQ(stepper.point().shape(), Shape({1, 1, 1, 2}));
    const Evaluation e = rosenbrock(stepper.point().to_vector<double>());
    stepper.tell(e.loss,
                 vector(e.gradient).to(DType::f32).as_strided({1, 1, 1, 2}, {2, 2, 2, 1}, 0));
  }
  for (double x : stepper.point().to_vector<double>()) EXPECT_NEAR(x, 1, 1e-4);
  EXPECT_LT(stepper.evaluations(), 125);
}

TEST(Lbfgs, ParametersTogetherAreOnePoint) {
  const std::vector<double> start{-1.2, 1, 0.5, 2};
  LbfgsStepper stepper(vector(start), wolfe);
  Tensor a = Tensor::from_vector<double>({-1.2, 1, 0.5}, {1, 3, 1, 1},
                                         {.device = Device{}, .format = Format::channels_last});
  Tensor b = vector({2});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  Lbfgs optimizer({a, b}, wolfe);
  const auto closure = [&] {
    std::vector<double> x = a.to_vector<double>();
    x.push_back(b.item());
    const Evaluation e = rosenbrock(x);
    const auto& g = e.gradient;
    a.set_grad(Tensor::from_vector<double>({g[0], g[1], g[2]}, {1, 3, 1, 1}, {.device = Device{}}));
    b.set_grad(vector({g[3]}));
    return e.loss;
  };
  for (int step = 0; step < 3; ++step) {
    run_step(stepper, rosenbrock);
    EXPECT_EQ(optimizer.step(closure), stepper.initial_loss());
    std::vector<double> x = a.to_vector<double>();
    x.push_back(b.item());
    ASSERT_EQ(x, stepper.point().to_vector<double>());

    Lbfgs resumed({a, b}, wolfe);
    resumed.load_state_dict(copied(optimizer.state_dict()));
    optimizer = std::move(resumed);
  }
  optimizer.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

TEST(Lbfgs, AParameterWithoutGradientStays) {
  Tensor used = vector({3}), unused = vector({5});
  Lbfgs optimizer({used, unused}, wolfe);
  optimizer.step([&] {
    const double x = used.item();
    used.set_grad(vector({2 * x}));
    return x * x;
  });
  EXPECT_NEAR(used.item(), 0, 1e-9);
  EXPECT_EQ(unused.item(), 5);
}

TEST(Lbfgs, AStepWithoutAnyGradientIsAnError) {
  Tensor x = vector({3});
  Lbfgs optimizer({x}, wolfe);
  EXPECT_EQ(tests::error_of([&] { optimizer.step([] { return 1.0; }); }),
            "[lbfgs] a step without any gradient: was backward run, and on these parameters?");
}

TEST(Lbfgs, AnExceptionInTheClosureLeavesAnOptimizerThatGoesOn) {
  Tensor x = vector({3});
  Lbfgs optimizer({x}, wolfe);
  EXPECT_THROW(optimizer.step([]() -> double { throw Error("stop"); }), Error);
  optimizer.step([&] {
    x.set_grad(vector({2 * x.item()}));
    return x.item() * x.item();
  });
  EXPECT_NEAR(x.item(), 0, 1e-9);
}

TEST(Lbfgs, MisuseIsAnError) {
  LbfgsStepper stepper(vector({1, 2}), wolfe);
  EXPECT_THROW(stepper.tell(1, vector({1, 2})), Error);
  stepper.begin_step();
  EXPECT_THROW(stepper.begin_step(), Error);
  EXPECT_THROW(stepper.state_dict(), Error);
  EXPECT_THROW(stepper.tell(1, vector({1, 2, 3})), Error);
  EXPECT_THROW(LbfgsStepper(Tensor::zeros({0}), wolfe), Error);
  EXPECT_THROW(LbfgsStepper(Tensor::zeros({2}, {.dtype = DType::bf16}), wolfe), Error);
  EXPECT_THROW(Lbfgs({}, wolfe), Error);

  LbfgsStepper other(vector({1, 2}), wolfe);
  run_step(other, rosenbrock);
  StateDict state = other.state_dict();
  LbfgsStepper wrong(vector({1, 2, 3}), wolfe);
  EXPECT_THROW(wrong.load_state_dict(state), Error);
  std::erase_if(state, [](const NamedTensor& entry) { return entry.name == "old_stps.0"; });
  const auto before = other.point().to_vector<double>();
  EXPECT_THROW(other.load_state_dict(state), Error);
  EXPECT_EQ(other.point().to_vector<double>(), before);
}

}  // namespace
}  // namespace gestalt::optim
