#include "tensor/autograd.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <thread>

#include "kernels/error.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tests/error_of.h"

namespace gestalt {
namespace {

Tensor leaf(std::vector<double> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return Tensor::from_vector(values, shape).set_requires_grad(true);
}

TEST(Autograd, ALeafUsedManyTimesGetsTheSumOfItsGradients) {
  Tensor x = leaf({0.5, -1});
  const Tensor y = add(add(x, x), exp(x));
  y.backward(Tensor::ones({2}, {.dtype = DType::f64}));
  const std::vector<double> grad = x.grad().to_vector<double>();
  EXPECT_DOUBLE_EQ(grad[0], 2 + std::exp(0.5));
  EXPECT_DOUBLE_EQ(grad[1], 2 + std::exp(-1.0));
}

TEST(Autograd, GradAccumulatesOverBackwardCalls) {
  Tensor x = leaf({1});
  for (int i = 0; i < 3; ++i) add(x, x).backward();
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Autograd, AnExpandedGradientIsAddedTo) {
  Tensor x = leaf({1, 2, 3});
  x.set_grad(expand(Tensor::full({1}, 10, {x.dtype()}), {3}));
  sum(multiply(x, x.detach())).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{11, 12, 13}));
}

TEST(Autograd, HooksOfLeavesSeeTheWholeGradientOnce) {
  Tensor x = leaf({1});
  int calls = 0;
  double seen = 0;
  x.register_hook([&](const Tensor& grad) {
    ++calls;
    seen = grad.item();
    return Tensor();
  });
  const Tensor doubled = add(x, x);
  add(doubled, x).backward();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen, 3);
}

TEST(Autograd, HooksKeepTheirStateAndMayAddOthers) {
  Tensor x = leaf({1});
  std::vector<int> seen;
  x.register_hook([&, calls = 0](const Tensor&) mutable {
    seen.push_back(++calls);
    if (calls == 1) x.register_hook([](const Tensor& grad) { return multiply(grad, 10); });
    return Tensor();
  });
  x.register_hook([](const Tensor& grad) { return add(grad, 1); });
  for (int i = 0; i < 2; ++i) multiply(x, 2).backward();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_EQ(x.grad().item(), 60);
}

TEST(Autograd, HooksOfResultsReplaceTheGradient) {
  Tensor x = leaf({1});
  const Tensor y = add(x, x);
  y.register_hook([](const Tensor& grad) { return add(grad, grad); });
  y.backward();
  EXPECT_EQ(x.grad().item(), 4);
}

TEST(Autograd, ASavedTensorChangedInPlaceIsAnError) {
  Tensor x = leaf({1});
  Tensor y = exp(x);
  {
    const NoGradGuard no_grad;
    y.fill_(0);
  }
  EXPECT_THROW(y.backward(), Error);
}

TEST(Autograd, InPlaceOnAFollowedTensorIsAnError) {
  Tensor x = leaf({1});
  EXPECT_THROW(x.fill_(0), Error);
  const NoGradGuard no_grad;
  EXPECT_NO_THROW(x.fill_(0));
}

TEST(Autograd, BackwardTwiceNeedsRetainGraph) {
  Tensor x = leaf({1});
  const Tensor y = exp(x);
  const Tensor one = Tensor::ones({1}, {.dtype = DType::f64});
  backward(std::span(&y, 1), std::span(&one, 1), {.retain_graph = true});
  EXPECT_NO_THROW(y.backward());
  EXPECT_THROW(y.backward(), Error);
}

TEST(Autograd, NoGradRecordsNothing) {
  Tensor x = leaf({1});
  const NoGradGuard no_grad;
  EXPECT_FALSE(exp(x).requires_grad());
}

TEST(Autograd, GradientsOfInnerTensorsLeaveTheLeavesAlone) {
  Tensor x = leaf({1});
  const Tensor y = exp(x), z = add(y, y);
  const Tensor one = Tensor::ones({1}, {.dtype = DType::f64});
  const std::vector<Tensor> grads =
      gradients(std::span(&z, 1), std::span(&one, 1), std::span(&y, 1));
  EXPECT_EQ(grads[0].item(), 2);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, ALongChainNeitherRecursesNorOverflows) {
  Tensor x = leaf({0});
  Tensor y = x;
  for (int i = 0; i < 200000; ++i) y = add(y, x);
  y.backward();
  EXPECT_EQ(x.grad().item(), 200001);
}

// An op of a user: y = x, whose backward gives what it is told to.
class OwnNode : public Node {
 public:
  explicit OwnNode(std::function<Tensor(const Tensor&)> gradient)
      : gradient_(std::move(gradient)) {}
  const char* name() const override { return "own"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {gradient_(grad_outputs[0])};
  }

 private:
  std::function<Tensor(const Tensor&)> gradient_;
};

Tensor own(const Tensor& x, std::function<Tensor(const Tensor&)> gradient) {
  Tensor y = x.detach().clone();
  attach(std::make_shared<OwnNode>(std::move(gradient)), {x}, {y});
  return y;
}

using tests::error_of;

TEST(Autograd, GradientsUnlikeTheirTensorsAreErrors) {
  Tensor x = leaf({1, 2});
  const Tensor wider = Tensor::ones({3}, {.dtype = DType::f64}), narrower = Tensor::ones({2});
  const auto backward_of_own = [&](const Tensor& gradient) {
    own(x, [=](const Tensor&) {
      return gradient;
    }).backward(Tensor::ones({2}, {.dtype = DType::f64}));
  };
  EXPECT_EQ(error_of([&] { backward_of_own(wider); }),
            "[own] backward returned f64[3] on cpu for input 0, which is f64[2] on cpu");
  EXPECT_EQ(error_of([&] { backward_of_own(narrower); }),
            "[own] backward returned f32[2] on cpu for input 0, which is f64[2] on cpu");
  EXPECT_EQ(error_of([&] { x.set_grad(narrower); }),
            "[set_grad] the gradient of f64[2] on cpu must be like it, got f32[2] on cpu");
  EXPECT_EQ(error_of([&] { exp(x).backward(narrower); }),
            "[backward] the gradient of f64[2] on cpu must be of its dtype and device, is f32[2] "
            "on cpu");
  const Tensor y = exp(x);
  y.register_hook([&](const Tensor&) { return wider; });
  EXPECT_EQ(error_of([&] { y.backward(Tensor::ones({2}, {.dtype = DType::f64})); }),
            "[exp] a hook replaced the gradient f64[2] on cpu by f64[3] on cpu");
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, ANodeMadeBeforeItsInputsComesBeforeThemInBackward) {
  Tensor x = leaf({0});
  const auto node = std::make_shared<OwnNode>([](const Tensor& dy) { return dy; });
  const Tensor h = exp(x);  // newer than the node
  const Tensor y = h.detach().clone();
  attach(node, {h}, {y});
  add(y, multiply(h, 10)).backward();
  EXPECT_EQ(x.grad().item(), 11);
}

TEST(Autograd, AnOpThatGivesItsInputOnIsAnError) {
  Tensor x = leaf({1});
  const auto node = std::make_shared<OwnNode>([](const Tensor& dy) { return dy; });
  EXPECT_THROW(attach(node, {x}, {x}), Error);
  EXPECT_TRUE(x.is_leaf());
}

TEST(Autograd, TwoLossesShareWhatIsRetained) {
  Tensor x = leaf({0});
  const Tensor y = exp(x);
  multiply(y, 2).backward({}, {.retain_graph = true});
  multiply(y, 3).backward();
  EXPECT_EQ(x.grad().item(), 5);
}

TEST(SetData, EveryHandleAndTheGradientFollow) {
  Tensor x = leaf({1, 2});
  const Tensor handle = x, before = x.detach();
  x.set_grad(x.detach().clone());
  x.set_data(before.to(DType::f32));
  EXPECT_EQ(handle.dtype(), DType::f32);
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_EQ(handle.grad().dtype(), DType::f32);
  EXPECT_EQ(handle.grad().to_vector<double>(), (std::vector<double>{1, 2}));
  EXPECT_EQ(before.dtype(), DType::f64);
  exp(handle).backward(Tensor::ones({2}));
  EXPECT_EQ(x.grad().dtype(), DType::f32);
}

TEST(SetData, RefusesWhatCanNotBe) {
  Tensor x = leaf({1, 2});
  EXPECT_THROW(x.set_data(Tensor::zeros({3})), Error);
  EXPECT_THROW(x.set_data(Tensor::zeros({2}, {.dtype = DType::i64})), Error);
  EXPECT_THROW(exp(x).set_data(Tensor::zeros({2})), Error);
  const Tensor y = exp(x);
  x.set_data(x.detach().to(DType::f32));
  EXPECT_EQ(error_of([&] { y.backward(Tensor::ones({2}, {.dtype = DType::f64})); }),
            "[backward] a leaf f32[2] on cpu had another dtype or device in the forward pass: its "
            "gradient is f64[2] on cpu");
}

void threads_share_a_leaf(int size, int rounds) {
  Tensor x = leaf(std::vector<double>(size, 0));
  const Tensor one = Tensor::ones({size}, {.dtype = DType::f64});
  constexpr int count = 4;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        exp(x);  // recorded, never used
        exp(x).backward(one);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(x.grad().to_vector<double>(), std::vector<double>(size, rounds * count));
}

TEST(Autograd, ThreadsGoThroughTheSameLeaves) {
  threads_share_a_leaf(2, 5000);     // many graphs are made at once
  threads_share_a_leaf(20000, 300);  // sums of gradients meet
}

// A gradient may be a view of the one that it is added to.
TEST(Autograd, AddsAGradientToItsOwnMemory) {
  Tensor square = Tensor::from_vector(std::vector<double>(4, 0), {2, 2}).set_requires_grad(true);
  square.backward(Tensor::from_vector(std::vector<double>{1, 2, 3, 4}, {2, 2}));
  square.backward(transpose(square.grad(), 0, 1));
  EXPECT_EQ(square.grad().to_vector<double>(), (std::vector<double>{2, 5, 5, 8}));
}

}  // namespace
}  // namespace gestalt
