// The check itself: right gradients pass, wrong ones are found where they are wrong.

#include "tensor/gradcheck.h"

#include <gtest/gtest.h>

#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/unary.h"
#include "tests/error_of.h"

namespace gestalt {
namespace {

using tests::error_of;

Tensor leaf(const std::vector<double>& values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return Tensor::from_vector(values, shape).set_requires_grad(true);
}

// y = 3 x, whose backward takes one element for 2 x.
class WrongNode : public Node {
 public:
  const char* name() const override { return "wrong"; }
  std::vector<Tensor> backward(std::span<const Tensor> dy, const NeedsGrad&) override {
    return {dy[0] * Tensor::from_vector<double>({3, 3, 2, 3}, {4})};
  }
};

std::vector<Tensor> wrong(const std::vector<Tensor>& in) {
  Tensor y = in[0].detach() * 3.0;
  if (needs_grad({in[0]})) attach(std::make_shared<WrongNode>(), {in[0]}, {y});
  return {y, in[1] * in[1]};
}

TEST(Gradcheck, PassesTheGradientsOfOps) {
  const Tensor x = leaf({0.5, -1, 2}), y = leaf({3, 1, 0.25}),
               constant = Tensor::ones({3}, {DType::f64});
  const auto run = [](const std::vector<Tensor>& in) {
    return std::vector{in[0] * in[1] + in[2], exp(in[0])};
  };
  const Gradcheck result = gradcheck(run, {x, y, constant});
  EXPECT_TRUE(result.ok()) << to_string(result);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{0.5, -1, 2}));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Gradcheck, NamesTheWorstElement) {
  const Gradcheck result = gradcheck(wrong, {leaf({1, 2, 3, 4}), leaf({1, 2, 3, 4})});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.input, 0u);
  EXPECT_EQ(result.element, 2);
  EXPECT_NEAR(result.backward / result.difference, 2.0 / 3, 1e-6);
  EXPECT_EQ(to_string(result).find("input 0, element 2: backward "), 0u) << to_string(result);
}

TEST(Gradcheck, ChecksParametersThatTheFunctionHolds) {
  const Tensor x = leaf({1, 2}), weight = leaf({3, 4});
  int calls = 0;
  const auto run = [&](const std::vector<Tensor>& in) {
    ++calls;
    return std::vector{in[0] * weight};
  };
  EXPECT_TRUE(gradcheck(run, {x, weight}, {.most_elements = 1}).ok());
  EXPECT_EQ(calls, 1 + 2 * 2);
}

TEST(Gradcheck, PutsValuesBackWhereTheFunctionThrows) {
  const Tensor x = leaf({1, 2});
  int calls = 0;
  const auto run = [&](const std::vector<Tensor>& in) {
    if (++calls == 2) throw Error("enough");
    return std::vector{in[0] * 2.0};
  };
  EXPECT_EQ(error_of([&] { gradcheck(run, {x}); }), "enough");
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 2}));
}

TEST(Gradcheck, RefusesWhatItCannotCheck) {
  const auto run = [](const std::vector<Tensor>& in) { return in; };
  const Tensor x = leaf({1});
  EXPECT_EQ(error_of([&] { gradcheck(run, {x.detach()}); }),
            "[gradcheck] no input requires a gradient");
  const Tensor narrow = Tensor::ones({2}).set_requires_grad(true);
  EXPECT_EQ(error_of([&] {
              gradcheck(run, {x, narrow});
            }),
            "[gradcheck] input 1 must be a leaf of f64, is f32[2]");
  EXPECT_NE(error_of([&] { gradcheck(run, {x}, {.step = 0}); }), "");
}

}  // namespace
}  // namespace gestalt
