#include "tensor/autograd.h"

#include <cmath>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/unary.h"

namespace gestalt {
namespace {

Tensor leaf(std::vector<double> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return Tensor::from_vector(values, shape).set_requires_grad(true);
}

TEST(Autograd, a_leaf_used_many_times_gets_the_sum_of_its_gradients) {
  Tensor x = leaf({0.5, -1});
  const Tensor y = add(add(x, x), exp(x));
  y.backward(Tensor::ones({2}, {.dtype = DType::f64}));
  const std::vector<double> grad = x.grad().to_vector<double>();
  EXPECT_DOUBLE_EQ(grad[0], 2 + std::exp(0.5));
  EXPECT_DOUBLE_EQ(grad[1], 2 + std::exp(-1.0));
}

TEST(Autograd, grad_accumulates_over_backward_calls) {
  Tensor x = leaf({1});
  for (int i = 0; i < 3; ++i) add(x, x).backward();
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Autograd, hooks_of_leaves_see_the_whole_gradient_once) {
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

TEST(Autograd, hooks_of_results_replace_the_gradient) {
  Tensor x = leaf({1});
  const Tensor y = add(x, x);
  y.register_hook([](const Tensor& grad) { return add(grad, grad); });
  y.backward();
  EXPECT_EQ(x.grad().item(), 4);
}

TEST(Autograd, a_saved_tensor_changed_in_place_is_an_error) {
  Tensor x = leaf({1});
  Tensor y = exp(x);
  {
    const NoGradGuard no_grad;
    y.fill_(0);
  }
  EXPECT_THROW(y.backward(), Error);
}

TEST(Autograd, in_place_on_a_followed_tensor_is_an_error) {
  Tensor x = leaf({1});
  EXPECT_THROW(x.fill_(0), Error);
  const NoGradGuard no_grad;
  EXPECT_NO_THROW(x.fill_(0));
}

TEST(Autograd, backward_twice_needs_retain_graph) {
  Tensor x = leaf({1});
  const Tensor y = exp(x);
  const Tensor one = Tensor::ones({1}, {.dtype = DType::f64});
  backward(std::span(&y, 1), std::span(&one, 1), {.retain_graph = true});
  EXPECT_NO_THROW(y.backward());
  EXPECT_THROW(y.backward(), Error);
}

TEST(Autograd, no_grad_records_nothing) {
  Tensor x = leaf({1});
  const NoGradGuard no_grad;
  EXPECT_FALSE(exp(x).requires_grad());
}

TEST(Autograd, gradients_of_inner_tensors_leave_the_leaves_alone) {
  Tensor x = leaf({1});
  const Tensor y = exp(x), z = add(y, y);
  const Tensor one = Tensor::ones({1}, {.dtype = DType::f64});
  const std::vector<Tensor> grads =
      gradients(std::span(&z, 1), std::span(&one, 1), std::span(&y, 1));
  EXPECT_EQ(grads[0].item(), 2);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, a_long_chain_neither_recurses_nor_overflows) {
  Tensor x = leaf({0});
  Tensor y = x;
  for (int i = 0; i < 200000; ++i) y = add(y, x);
  y.backward();
  EXPECT_EQ(x.grad().item(), 200001);
}

}  // namespace
}  // namespace gestalt
