// A state that does not fit is an Error and changes nothing: for everything here with a state, each
// entry of a good one is spoiled in turn.

#include <gtest/gtest.h>
#include <memory>

#include "optim/adam.h"
#include "optim/ema.h"
#include "optim/lbfgs.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "tests/error_of.h"
#include "tests/optim/fixture.h"

namespace gestalt::optim {
namespace {

void expect_same(const StateDict& got, const StateDict& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    EXPECT_EQ(got[i].tensor.to_vector<double>(), expected[i].tensor.to_vector<double>())
        << got[i].name;
  }
}

// `good` is a state other than target's.
template <class Target>
void expect_all_or_nothing(Target& target, const StateDict& good) {
  const StateDict before = copied(target.state_dict());
  for (size_t i = 0; i < good.size(); ++i) {
    SCOPED_TRACE("with a wrong " + good[i].name);
    StateDict state = copied(good);
    state[i].tensor = Tensor::zeros({7, 7});
    EXPECT_NE(tests::error_of([&] { target.load_state_dict(state); }), "");
    expect_same(target.state_dict(), before);
  }
  for (size_t i = 0; i < good.size(); ++i) {
    SCOPED_TRACE("without " + good[i].name);
    StateDict state = copied(good);
    state.erase(state.begin() + static_cast<int64_t>(i));
    if (tests::error_of([&] { target.load_state_dict(state); }).empty()) {
      target.load_state_dict(copied(before));  // what may be absent
    }
    expect_same(target.state_dict(), before);
  }
  target.load_state_dict(copied(good));
  expect_same(target.state_dict(), good);
}

struct Parameters {
  Tensor a = vector({1, 2, 3}), b = vector({4, 5});

  void set_gradients(double scale) {
    a.set_grad(vector({scale, -scale, 2 * scale}));
    b.set_grad(vector({-scale, scale}));
  }
};

// Two groups, after `steps` steps with gradients of `scale`.
template <class Optimizer, class Options>
std::unique_ptr<Optimizer> stepped(Parameters& of, Options options, int steps, double scale) {
  Options other = options;
  other.learning_rate *= 3;
  std::vector<ParameterGroup<Options>> groups{{{of.a}, options}, {{of.b}, other}};
  auto optimizer = std::make_unique<Optimizer>(std::move(groups));
  for (int step = 0; step < steps; ++step) {
    of.set_gradients(scale);
    optimizer->step();
  }
  return optimizer;
}

template <class Optimizer, class Options>
void expect_all_or_nothing_of(Options options) {
  Parameters p, q;
  const auto saved = stepped<Optimizer>(p, options, 3, 0.5);
  options.learning_rate = 0.125;
  options.weight_decay = 0.25;
  for (int steps : {0, 2}) {
    expect_all_or_nothing(*stepped<Optimizer>(q, options, steps, -1), saved->state_dict());
  }
}

TEST(LoadState, OfSgdIsAllOrNothing) {
  expect_all_or_nothing_of<Sgd>(SgdOptions{.momentum = 0.9});
}

TEST(LoadState, OfAdamIsAllOrNothing) {
  expect_all_or_nothing_of<Adam>(AdamOptions{});
  expect_all_or_nothing_of<Adam>(AdamOptions::adamw());
}

TEST(LoadState, OfAnAverageIsAllOrNothing) {
  Parameters p, q;
  ExponentialMovingAverage saved({p.a, p.b}, 0.5), target({q.a, q.b}, 0.5);
  p.a.fill_(7);
  p.b.fill_(8);
  saved.update();
  expect_all_or_nothing(target, saved.state_dict());
}

TEST(LoadState, OfAScheduleIsAllOrNothing) {
  Parameters p, q;
  const auto saved = stepped<Sgd>(p, SgdOptions{}, 0, 0),
             target = stepped<Sgd>(q, SgdOptions{.learning_rate = 2}, 0, 0);
  StepSchedule schedule(*saved, 1), other(*target, 1);
  schedule.step();
  expect_all_or_nothing(other, schedule.state_dict());
  EXPECT_EQ(target->learning_rate(1), saved->learning_rate(1));
}

TEST(LoadState, OfLbfgsIsAllOrNothing) {
  Parameters p, q;
  const auto stepped = [](Parameters& of, int steps) {
    auto optimizer = std::make_unique<Lbfgs>(
        std::vector{of.a, of.b}, LbfgsOptions{.learning_rate = 0.1, .max_iterations = 4});
    for (int step = 0; step < steps; ++step) {
      optimizer->step([&] {
        double loss = 0;
        for (Tensor* x : {&of.a, &of.b}) {
          std::vector<double> gradient;
          for (double value : x->to_vector<double>()) {
            loss += value * value * value * value;
            gradient.push_back(4 * value * value * value);
          }
          x->set_grad(vector(gradient));
        }
        return loss;
      });
    }
    return optimizer;
  };
  const auto saved = stepped(p, 2);
  for (int steps : {0, 1}) expect_all_or_nothing(*stepped(q, steps), saved->state_dict());
}

TEST(LoadState, OfAnLbfgsStepperIsAllOrNothing) {
  const auto stepped = [](double from, int steps) {
    LbfgsStepper stepper(vector({from, -from}), {.learning_rate = 0.1, .max_iterations = 3});
    for (int step = 0; step < steps; ++step) {
      stepper.begin_step();
      while (stepper.needs_evaluation()) {
        const std::vector<double> x = stepper.point().to_vector<double>();
        stepper.tell(x[0] * x[0] * x[0] * x[0] + x[1] * x[1],
                     vector({4 * x[0] * x[0] * x[0], 2 * x[1]}));
      }
    }
    return stepper;
  };
  const LbfgsStepper saved = stepped(1, 2);
  for (int steps : {0, 1}) {
    LbfgsStepper target = stepped(2, steps);
    expect_all_or_nothing(target, saved.state_dict());
  }
}

// Options are checked as the constructors check them.
TEST(LoadState, OptionsThatNoConstructorTakesAreAnError) {
  Parameters p;
  const auto adam = stepped<Adam>(p, AdamOptions{}, 1, 1);
  StateDict state = copied(adam->state_dict());
  for (NamedTensor& entry : state) {
    if (entry.name == "param_groups.1.betas.0") entry.tensor.fill_(1);
  }
  EXPECT_EQ(tests::error_of([&] { adam->load_state_dict(state); }),
            "[adam] betas must be in [0, 1), are 1 and 0.999");
  const auto sgd = stepped<Sgd>(p, SgdOptions{}, 1, 1);
  state = copied(sgd->state_dict());
  for (NamedTensor& entry : state) {
    if (entry.name == "param_groups.1.nesterov") entry.tensor.fill_(1);
  }
  EXPECT_NE(tests::error_of([&] { sgd->load_state_dict(state); }), "");
}

template <class Optimizer, class Options>
void expect_no_state_of_more(const std::string& name, const Options& options) {
  Parameters p, q;
  const auto two_groups = stepped<Optimizer>(p, options, 1, 1);  // of one parameter each
  Optimizer one_group({q.a, q.b}, options), one_parameter({q.a}, options);
  const StateDict before = copied(one_group.state_dict());
  EXPECT_EQ(tests::error_of([&] { one_group.load_state_dict(two_groups->state_dict()); }),
            "[" + name + "] the state dict is of 2 parameter groups, there are 1");
  expect_same(one_group.state_dict(), before);
  Optimizer both({p.a, p.b}, options);
  both.step();
  EXPECT_EQ(tests::error_of([&] { one_parameter.load_state_dict(both.state_dict()); }),
            "[" + name + "] the state dict is of 2 parameters, there are 1");
  one_group.load_state_dict(both.state_dict());
  expect_same(one_group.state_dict(), both.state_dict());
  // Fewer groups lack a name.
  EXPECT_EQ(tests::error_of([&] { two_groups->load_state_dict(both.state_dict()); }),
            "[" + name + "] state dict has no 'param_groups.1.lr'");
}

TEST(LoadState, OfMoreGroupsOrParametersThanThereAreIsAnError) {
  expect_no_state_of_more<Sgd>("sgd", SgdOptions{.momentum = 0.9});
  expect_no_state_of_more<Adam>("adam", AdamOptions{});
}

}  // namespace
}  // namespace gestalt::optim
