// L-BFGS against the evaluations that torch.optim.LBFGS made (tests/fixtures/optim/lbfgs.txt).

#include <gtest/gtest.h>

#include "optim/lbfgs.h"
#include "tests/optim/fixture.h"
#include "tests/optim/functions.h"

namespace gestalt::optim {
namespace {

constexpr double tolerance = 1e-9;

LbfgsOptions options_of(const FixtureCase& fixture) {
  LbfgsOptions options;
  options.learning_rate = fixture.option("lr", 1);
  options.max_iterations = static_cast<int64_t>(fixture.option("max_iter", 20));
  if (fixture.options.contains("max_eval")) {
    options.max_evaluations = static_cast<int64_t>(fixture.option("max_eval", 0));
  }
  options.tolerance_gradient = fixture.option("tolerance_grad", 1e-7);
  options.tolerance_change = fixture.option("tolerance_change", 1e-9);
  options.history_size = static_cast<int64_t>(fixture.option("history_size", 100));
  if (fixture.options.contains("line_search_fn")) options.line_search = LineSearch::strong_wolfe;
  return options;
}

// Relative to the largest element.
void expect_close(const Values& got, const double* expected, const std::string& where) {
  double largest = 0;
  for (size_t i = 0; i < got.size(); ++i) largest = std::max(largest, std::abs(expected[i]));
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(is_close(got[i], expected[i], tolerance, largest))
        << where << ": x[" << i << "] is " << got[i] << ", torch's is " << expected[i];
  }
}

class LbfgsAgainstTorch : public testing::TestWithParam<FixtureCase> {};

TEST_P(LbfgsAgainstTorch, EveryEvaluationIsTorchs) {
  const FixtureCase& fixture = GetParam();
  const Function& f = function(fixture.words.at(0));
  ASSERT_EQ(fixture.labels.at(0), "start");
  LbfgsStepper stepper(vector(fixture.lines[0]), options_of(fixture));

  // Lines: [step, loss, x...] of an evaluation; [step, n_iter, func_evals, x...] at a step's end.
  size_t line = 1;
  for (; line < fixture.lines.size(); ++line) {
    stepper.begin_step();
    const double first_loss = fixture.lines[line][1];
    while (stepper.needs_evaluation()) {
      const std::string where = "evaluation " + std::to_string(line);
      ASSERT_EQ(fixture.labels.at(line), "") << where << " is one more than torch made";
      const auto& expected = fixture.lines[line];
      const Values x = stepper.point().to_vector<double>();
      expect_close(x, &expected[2], where);
      if (HasFatalFailure()) return;
      const Evaluation evaluation = f(x);
      ASSERT_TRUE(is_close(evaluation.loss, expected[1], 1e-7, 1 + std::abs(expected[1])))
          << where << ": loss " << evaluation.loss << ", torch's " << expected[1];
      stepper.tell(evaluation.loss, vector(evaluation.gradient));
      ++line;
    }
    const std::string where = "end of step " + std::to_string(fixture.lines.at(line)[0]);
    ASSERT_EQ(fixture.labels[line], "end") << where << ": torch made more evaluations";
    const auto& expected = fixture.lines[line];
    EXPECT_EQ(stepper.iterations(), expected[1]) << where;
    EXPECT_EQ(stepper.evaluations(), expected[2]) << where;
    expect_close(stepper.point().to_vector<double>(), &expected[3], where);
    EXPECT_TRUE(is_close(stepper.initial_loss(), first_loss, 1e-7, 1 + std::abs(first_loss)))
        << where;
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(fixture.lines.back()[0] + 1, std::stod(fixture.words.at(1)));  // all steps were made
}

INSTANTIATE_TEST_SUITE_P(Cases, LbfgsAgainstTorch, testing::ValuesIn(read_fixture("lbfgs.txt")),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace gestalt::optim
