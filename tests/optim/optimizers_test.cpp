// SGD, Adam, AdamW, schedules and averages: against torch's, and what torch's tests can't see.

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <memory>

#include "kernels/error.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/ema.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tests/error_of.h"
#include "tests/optim/fixture.h"

namespace gestalt::optim {
namespace {

std::unique_ptr<Optimizer> make(const FixtureCase& fixture, std::vector<Tensor> parameters) {
  if (fixture.words.at(0) == "SGD") {
    return std::make_unique<Sgd>(std::move(parameters),
                                 SgdOptions{.learning_rate = fixture.option("lr", 0),
                                            .momentum = fixture.option("momentum", 0),
                                            .dampening = fixture.option("dampening", 0),
                                            .weight_decay = fixture.option("weight_decay", 0),
                                            .nesterov = fixture.option("nesterov", 0) != 0});
  }
  AdamOptions options;
  if (fixture.words[0] == "AdamW") options = AdamOptions::adamw();
  options.learning_rate = fixture.option("lr", 0);
  options.beta1 = fixture.option("beta1", 0.9);
  options.beta2 = fixture.option("beta2", 0.999);
  options.epsilon = fixture.option("eps", 1e-8);
  options.weight_decay = fixture.option("weight_decay", options.weight_decay);
  return std::make_unique<Adam>(std::move(parameters), options);
}

// The problem of make_optim.py: parameter b has no gradient in steps 2 and 3.
struct Problem {
  Tensor a = vector({1.0, -2.0, 0.5}), b = vector({0.3, -0.7});

  std::vector<double> values() const {
    std::vector<double> x = a.to_vector<double>();
    for (double value : b.to_vector<double>()) x.push_back(value);
    return x;
  }
  void set_gradients(int step) {
    const std::vector<double> x = values();
    std::vector<double> g;
    for (size_t i = 0; i < x.size(); ++i) {
      g.push_back(static_cast<double>(i + 1) * x[i] + 0.5 * std::sin(3 * x[i]));
    }
    a.set_grad(vector({g[0], g[1], g[2]}));
    b.set_grad(step == 2 || step == 3 ? Tensor() : vector({g[3], g[4]}));
  }
};

class StepsAgainstTorch : public testing::TestWithParam<FixtureCase> {};

TEST_P(StepsAgainstTorch, EveryStepIsTorchs) {
  Problem problem;
  const auto optimizer = make(GetParam(), {problem.a, problem.b});
  for (const auto& line : GetParam().lines) {
    problem.set_gradients(static_cast<int>(line[0]));
    optimizer->step();
    const std::vector<double> x = problem.values();
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(is_close(x[i], line[i + 1], 1e-12, std::abs(line[i + 1])))
          << "step " << line[0] << ", x[" << i << "] is " << x[i] << ", torch's " << line[i + 1];
    }
  }
}

TEST_P(StepsAgainstTorch, AResumedRunRepeatsTheUninterruptedOne) {
  Problem whole, interrupted;
  const auto optimizer = make(GetParam(), {whole.a, whole.b});
  auto resumed = make(GetParam(), {interrupted.a, interrupted.b});
  for (int step = 0; step < 8; ++step) {
    whole.set_gradients(step);
    interrupted.set_gradients(step);
    optimizer->step();
    resumed->step();
    ASSERT_EQ(interrupted.values(), whole.values()) << "step " << step;
    // The options come from the state too.
    const StateDict state = copied(resumed->state_dict());
    FixtureCase plain;
    plain.words = GetParam().words;
    resumed = make(plain, {interrupted.a, interrupted.b});
    resumed->load_state_dict(state);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, StepsAgainstTorch, testing::ValuesIn(read_fixture("steps.txt")),
                         [](const auto& info) { return info.param.name; });

TEST(Optimizers, GroupsHaveOptionsOfTheirOwn) {
  Tensor a = vector({1}), b = vector({1});
  Sgd optimizer({{{a}, {.learning_rate = 0.5}}, {{b}, {.learning_rate = 0.25, .weight_decay = 1}}});
  a.set_grad(vector({1}));
  b.set_grad(vector({1}));
  optimizer.step();
  EXPECT_EQ(a.item(), 0.5);
  EXPECT_EQ(b.item(), 1 - 0.25 * 2);
  optimizer.set_learning_rate(0, 1);
  optimizer.step();
  EXPECT_EQ(a.item(), 0);
  EXPECT_EQ(b.item(), 0.5);
}

TEST(Optimizers, ChannelsLastParametersGetTheSameSteps) {
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8}, gradient{1, -1, 2, -2, 3, -3, 4, -4};
  const auto run = [&](Format of_parameter, Format of_gradient) {
    Tensor x = Tensor::from_vector(values, {1, 2, 2, 2}, {.format = of_parameter});
    Adam optimizer({x}, {.learning_rate = 0.1, .weight_decay = 0.1});
    x.set_grad(Tensor::from_vector(gradient, {1, 2, 2, 2}, {.format = of_gradient}));
    for (int step = 0; step < 3; ++step) optimizer.step();
    return x.to_vector<double>();
  };
  const auto expected = run(Format::contiguous, Format::contiguous);
  EXPECT_EQ(run(Format::channels_last, Format::channels_last), expected);
  EXPECT_EQ(run(Format::channels_last, Format::contiguous), expected);
  EXPECT_EQ(run(Format::contiguous, Format::channels_last), expected);
}

// What a run leaves whose parameters get another layout in the middle, or not.
std::vector<std::vector<double>> run_of_moved(bool moves) {
  std::vector<Tensor> all;
  for (int i = 0; i < 3; ++i) {
    std::vector<float> values(2 * 3 * 2 * 2);
    for (size_t k = 0; k < values.size(); ++k)
      values[k] = std::sin(static_cast<float>(k * (i + 1)));
    all.push_back(Tensor::from_vector(values, {2, 3, 2, 2}));
  }
  Sgd sgd({all[0]}, {.learning_rate = 0.1, .momentum = 0.9});
  Adam adam({all[1]}, {.learning_rate = 0.1});
  ExponentialMovingAverage average(all, 0.5);
  const std::vector<Tensor> averages = average.averages();
  for (int step = 0; step < 4; ++step) {
    if (moves && step == 2) {
      for (const Tensor& x : all) x.set_data(x.contiguous(Format::channels_last));
    }
    for (Tensor& x : all) x.set_grad(multiply(x, 0.5));
    sgd.step();
    adam.step();
    average.update();
  }
  std::vector<std::vector<double>> left;
  for (const Tensor& x : all) left.push_back(x.to_vector<double>());
  for (const Tensor& x : averages) left.push_back(x.to_vector<double>());
  return left;
}

TEST(Optimizers, StatesFollowParametersThatGetAnotherLayout) {
  EXPECT_EQ(run_of_moved(true), run_of_moved(false));
}

TEST(Optimizers, SixteenBitParametersHaveF32States) {
  Tensor x = Tensor::full({4}, 1, {.dtype = DType::bf16});
  Sgd optimizer({x}, {.learning_rate = 0.5, .momentum = 0.9});
  x.set_grad(Tensor::full({4}, 0.25, {.dtype = DType::bf16}));
  optimizer.step();
  EXPECT_EQ(x.to_vector<double>()[0], 0.875);
  EXPECT_EQ(optimizer.state_dict()[0].name, "state.0.momentum_buffer");
  EXPECT_EQ(optimizer.state_dict()[0].tensor.dtype(), DType::f32);
}

TEST(Optimizers, AStepIsAnInPlaceChangeThatAutogradSees) {
  Tensor x = vector({1}).set_requires_grad(true);
  Sgd optimizer({x}, {.learning_rate = 1});
  x.set_grad(vector({1}));
  const uint64_t before = x.version();
  optimizer.step();
  EXPECT_GT(x.version(), before);
  optimizer.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Optimizers, MisuseIsAnError) {
  Tensor x = vector({1, 2});
  EXPECT_THROW(Sgd(std::vector<Tensor>{}, SgdOptions{}), Error);
  EXPECT_THROW(Sgd({x, x}, SgdOptions{}), Error);
  EXPECT_THROW(Sgd({x}, SgdOptions{.nesterov = true}), Error);
  EXPECT_THROW(Adam({x}, AdamOptions{.beta1 = 1}), Error);
  EXPECT_THROW(Sgd({x.as_strided({1}, {2}, 0), x.as_strided({2, 2}, {1, 0}, 0)}, SgdOptions{}),
               Error);
  EXPECT_THROW(x.set_grad(vector({1, 2, 3})), Error);
  EXPECT_THROW(x.set_grad(vector({1, 2}).to(DType::f32)), Error);
  Sgd sgd({x}, {.momentum = 0.9});
  EXPECT_THROW(sgd.learning_rate(1), Error);
  EXPECT_THROW(sgd.set_learning_rate(0.1, 1), Error);
  EXPECT_THROW(sgd.step(), Error);  // no gradient
  Adam adam({x}, AdamOptions{});
  EXPECT_THROW(adam.step(), Error);
  EXPECT_THROW(adam.load_state_dict({}), Error);
}

// Constructors, set_learning_rate and schedules refuse what no update rule can mean; what was there
// stays.
TEST(Optimizers, OptionsThatMeanNothingAreAnError) {
  Tensor x = vector({1, 2});
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(tests::error_of([&] { Sgd({x}, {.learning_rate = -0.1}); }),
            "[sgd] the learning rate must be finite and not negative, is -0.1");
  EXPECT_EQ(tests::error_of([&] { Adam({x}, {.epsilon = -1}); }),
            "[adam] epsilon must be finite and not negative, is -1");
  for (const double wrong : {-1.0, nan, inf}) {
    EXPECT_THROW(Sgd({x}, {.learning_rate = wrong}), Error);
    EXPECT_THROW(Sgd({x}, {.momentum = wrong}), Error);
    EXPECT_THROW(Sgd({x}, {.weight_decay = wrong}), Error);
    EXPECT_THROW(Adam({x}, {.learning_rate = wrong}), Error);
    EXPECT_THROW(Adam({x}, {.epsilon = wrong}), Error);
    EXPECT_THROW(Adam({x}, {.weight_decay = wrong}), Error);
  }
  EXPECT_THROW(Sgd({x}, {.momentum = 0.9, .dampening = nan}), Error);
  EXPECT_NO_THROW(Sgd({x}, {.learning_rate = 0, .momentum = 0.9, .dampening = 0.1}));

  Tensor y = vector({3});
  Sgd sgd({{{x}, {.learning_rate = 0.5}}, {{y}, {.learning_rate = 0.25}}});
  EXPECT_EQ(tests::error_of([&] { sgd.set_learning_rate(nan, 1); }),
            "[sgd] the learning rate must be finite and not negative, is nan");
  EXPECT_THROW(sgd.set_learning_rate(-1), Error);
  LambdaSchedule schedule(sgd, [&](int64_t epoch) { return epoch < 2 ? 1.0 : nan; });
  schedule.step();
  EXPECT_EQ(tests::error_of([&] { schedule.step(); }),
            "[schedule] the learning rate must be finite and not negative, is nan");
  EXPECT_EQ(schedule.epoch(), 1);
  StateDict state = copied(schedule.state_dict());
  state[0].tensor.fill_(7);
  state[2].tensor.as_strided({1}, {1}, 1).fill_(-1);  // of the second group
  EXPECT_THROW(schedule.load_state_dict(state), Error);
  EXPECT_EQ(schedule.epoch(), 1);
  EXPECT_EQ(sgd.learning_rate(0), 0.5);
  EXPECT_EQ(sgd.learning_rate(1), 0.25);
}

// ---- clipping ----

TEST(ClipGradientNorm, ScalesAllGradientsAsTorchDoes) {
  Tensor a = vector({0, 0}), b = vector({0}), without = vector({0});
  a.set_grad(vector({3, 0}));
  b.set_grad(vector({-4}));
  EXPECT_EQ(clip_gradient_norm({a, b, without}, 6), 5);  // long enough
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{3, 0}));
  EXPECT_EQ(clip_gradient_norm({a, b, without}, 2), 5);
  const double factor = 2 / (5 + 1e-6);
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{3 * factor, 0}));
  EXPECT_EQ(b.grad().item(), -4 * factor);
  EXPECT_FALSE(without.grad().defined());
}

TEST(ClipGradientNorm, TakesAnyLayoutAndSaysWhatItCanNotTake) {
  Tensor x = Tensor::zeros({1, 2, 1, 2});
  x.set_grad(
      Tensor::from_vector<float>({1, 2, 3, 4}, {1, 2, 1, 2}, {.format = Format::channels_last}));
  EXPECT_FLOAT_EQ(clip_gradient_norm({x}, 1), std::sqrt(30.0));
  EXPECT_NEAR(x.grad().to_vector<float>()[1], 2 / std::sqrt(30.0), 1e-6);
  EXPECT_EQ(clip_gradient_norm({}, 1), 0);
  EXPECT_THROW(clip_gradient_norm({x}, -1), Error);
  Tensor wide = vector({1});
  wide.set_grad(vector({1}));
  EXPECT_THROW(clip_gradient_norm({x, wide}, 1), Error);
  x.set_grad(Tensor::full({1, 2, 1, 2}, NAN));
  EXPECT_TRUE(std::isnan(clip_gradient_norm({x}, 1)));
  x.set_grad(Tensor::full({1, 2, 1, 2}, 1e20));  // finite, their squares are not
  EXPECT_TRUE(std::isinf(clip_gradient_norm({x}, 1)));
  for (double value : x.grad().to_vector<double>()) EXPECT_TRUE(std::isnan(value));
}

// ---- schedules ----

std::unique_ptr<Schedule> make_schedule(const FixtureCase& fixture, Optimizer& optimizer) {
  const std::string& kind = fixture.words.at(0);
  if (kind == "CosineAnnealingLR") {
    return std::make_unique<CosineSchedule>(optimizer, fixture.option("T_max", 0),
                                            fixture.option("eta_min", 0));
  }
  if (kind == "StepLR") {
    return std::make_unique<StepSchedule>(optimizer, fixture.option("step_size", 0),
                                          fixture.option("gamma", 0.1));
  }
  return std::make_unique<LambdaSchedule>(
      optimizer, [](int64_t epoch) { return 1 / (1 + 0.5 * static_cast<double>(epoch)); });
}

class ScheduleAgainstTorch : public testing::TestWithParam<FixtureCase> {};

TEST_P(ScheduleAgainstTorch, EveryRateIsTorchsAndSurvivesResuming) {
  Tensor x = vector({0});
  auto optimizer = std::make_unique<Sgd>(std::vector<Tensor>{x}, SgdOptions{.learning_rate = 0.3});
  auto schedule = make_schedule(GetParam(), *optimizer);
  const auto& rates = GetParam().lines.at(0);
  for (size_t epoch = 0; epoch < rates.size(); ++epoch) {
    ASSERT_NEAR(optimizer->learning_rate(), rates[epoch], 1e-15) << "epoch " << epoch;
    // A fresh pair goes on from the state.
    auto next = std::make_unique<Sgd>(std::vector<Tensor>{x}, SgdOptions{.learning_rate = 7});
    auto resumed = make_schedule(GetParam(), *next);
    resumed->load_state_dict(schedule->state_dict());
    ASSERT_EQ(next->learning_rate(), optimizer->learning_rate());
    schedule = std::move(resumed);
    optimizer = std::move(next);
    schedule->step();
    EXPECT_EQ(schedule->epoch(), static_cast<int64_t>(epoch) + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ScheduleAgainstTorch,
                         testing::ValuesIn(read_fixture("schedules.txt")),
                         [](const auto& info) { return info.param.name; });

// ---- averages ----

TEST(ExponentialMovingAverage, FollowsItsFormulaAndResumes) {
  Tensor x = vector({1, 2});
  ExponentialMovingAverage average({x}, 0.75);
  EXPECT_EQ(average.averages()[0].to_vector<double>(), x.to_vector<double>());
  x.fill_(5);
  average.update();
  EXPECT_EQ(average.averages()[0].to_vector<double>(), (std::vector<double>{2, 2.75}));

  ExponentialMovingAverage resumed({x}, 0.75);
  resumed.load_state_dict(copied(average.state_dict()));
  average.update();
  resumed.update();
  EXPECT_EQ(resumed.averages()[0].to_vector<double>(), average.averages()[0].to_vector<double>());

  Tensor copy = vector({0, 0});
  average.copy_to({copy});
  EXPECT_EQ(copy.to_vector<double>(), average.averages()[0].to_vector<double>());
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{5, 5}));
}

TEST(ExponentialMovingAverage, AveragesOfSixteenBitParametersMove) {
  Tensor x = Tensor::full({1}, 1, {.dtype = DType::bf16});
  ExponentialMovingAverage average({x}, 0.999);
  x.fill_(2);
  average.update();
  EXPECT_NEAR(average.averages()[0].item(), 1.001, 1e-6);
}

// ---- parameters that set_data() changed ----

// They are walked as they lie: a transposed one would get each update at another element.
TEST(Optimizers, RefuseAParameterThatIsNoLongerDense) {
  Tensor x = Tensor::ones({2, 3});
  x.set_requires_grad(true);
  Sgd sgd({x}, SgdOptions{.learning_rate = 1});
  Adam adam({x}, AdamOptions{});
  ExponentialMovingAverage average({x}, 0.5);
  const Tensor weights = Tensor::ones({3, 2});
  x.set_data(transpose(weights, 0, 1));
  x.set_grad(Tensor::ones({2, 3}));
  EXPECT_EQ(tests::error_of([&] { sgd.step(); }),
            "[sgd] parameter 0 (f32[2,3]) is not dense since set_data(); give that a clone()");
  EXPECT_THROW(adam.step(), Error);
  EXPECT_THROW(average.update(), Error);
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(6, 1));
  x.set_data(transpose(weights, 0, 1).clone());
  sgd.step();
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(6, 0));
}

}  // namespace
}  // namespace gestalt::optim
