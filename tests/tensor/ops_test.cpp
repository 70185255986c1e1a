// What the cases of tests/cases cannot say: errors, shared memory, gradients at kinks.

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt {
namespace {

Tensor vector_of(std::vector<double> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return Tensor::from_vector(values, shape);
}

// d sum(f(x)) / dx
std::vector<double> gradient(const std::function<Tensor(const Tensor&)>& f,
                             std::vector<double> values) {
  Tensor x = vector_of(std::move(values)).set_requires_grad(true);
  sum(f(x)).backward();
  return x.grad().to_vector<double>();
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(Gradients, at_kinks_are_the_documented_ones) {
  using Values = std::vector<double>;
  EXPECT_EQ(gradient(abs, {-2, 0, 2}), (Values{-1, 0, 1}));
  EXPECT_EQ(gradient(relu, {-2, 0, 2}), (Values{0, 0, 1}));
  EXPECT_EQ(gradient([](const Tensor& x) { return leaky_relu(x, 0.25); }, {-2, 0, 2}),
            (Values{0.25, 0.25, 1}));
  EXPECT_EQ(gradient([](const Tensor& x) { return clamp(x, -1, 1); }, {-2, -1, 0, 1, 2}),
            (Values{0, 1, 1, 1, 0}));
  EXPECT_EQ(gradient([](const Tensor& x) { return pow(x, 0); }, {0, 1}), (Values{0, 0}));
  EXPECT_EQ(gradient([](const Tensor& x) { return pow(x, 1); }, {0, 1}), (Values{1, 1}));
}

TEST(Gradients, of_max_are_shared_by_ties) {
  EXPECT_EQ(gradient([](const Tensor& x) { return max(x); }, {1, 3, 3, 2}),
            (std::vector<double>{0, 0.5, 0.5, 0}));
}

TEST(Gradients, of_an_input_used_twice_add_up) {
  EXPECT_EQ(gradient([](const Tensor& x) { return x * x - x / 2 + x; }, {1, -3}),
            (std::vector<double>{2.5, -5.5}));
}

TEST(Gradients, keep_channels_last) {
  Tensor x = Tensor::ones({2, 3, 4, 5}, {.format = Format::channels_last}).set_requires_grad(true);
  const Tensor y = relu(x * Tensor::ones({3, 1, 1}));
  EXPECT_EQ(y.format(), Format::channels_last);
  mean(y).backward();
  EXPECT_EQ(x.grad().format(), Format::channels_last);
}

TEST(Errors, name_the_op_and_both_tensors) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({4});
  EXPECT_EQ(message_of([&] { add(a, b); }), "[add] shapes do not broadcast: f32[2,3] and f32[4]");
  EXPECT_EQ(message_of([&] { multiply(a, a.to(DType::f64)); }),
            "[multiply] inputs have different dtypes: f32[2,3] and f64[2,3]");
  EXPECT_EQ(message_of([&] { exp(a.to(DType::i64)); }), "[exp] no cpu kernel for i64");
  EXPECT_EQ(message_of([&] {
              reshape(a, {4, -1});
            }),
            "[reshape] f32[2,3] does not have the elements of [4,-1]");
  EXPECT_EQ(message_of([&] { narrow(a, 1, 2, 2); }),
            "[narrow] [2, 4) of dimension 1 is outside f32[2,3]");
  EXPECT_EQ(message_of([&] { squeeze(a, 0); }),
            "[squeeze] dimension 0 of f32[2,3] is not of size 1");
  EXPECT_EQ(message_of([&] { expand(a, {2, 4}); }), "[expand] f32[2,3] does not expand to [2,4]");
  EXPECT_EQ(message_of([&] {
              cat({a, b}, 0);
            }),
            "[cat] f32[2,3] and f32[4] differ beside dimension 0");
  EXPECT_EQ(message_of([&] { sum(a, {0, -2}); }), "[sum] dimension 0 comes twice");
  EXPECT_EQ(message_of([&] { max(Tensor::zeros({0})); }),
            "[max] nothing to take the maximum of in f32[0]");
  EXPECT_THROW(sum(a, {2}), Error);
  EXPECT_THROW(permute(a, {0, 0}), Error);
  EXPECT_THROW(select(a, 0, 2), Error);
}

TEST(Views, share_memory_and_version) {
  Tensor x = Tensor::zeros({2, 3});
  narrow(x, 1, 1, 1).fill_(5);
  select(x, 0, 1).fill_(7);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{0, 5, 0, 7, 7, 7}));

  Tensor leaf = Tensor::ones({2}).set_requires_grad(true);
  const Tensor y = exp(leaf);
  {
    const NoGradGuard no_grad;
    reshape(y, {2, 1}).fill_(0);
  }
  EXPECT_THROW(sum(y).backward(), Error);  // exp saved y
}

TEST(InPlace, is_refused_where_autograd_follows) {
  Tensor x = Tensor::ones({2}).set_requires_grad(true);
  EXPECT_THROW(add_in_place(x, x), Error);
  EXPECT_THROW(multiply_in_place(x, 2), Error);
  const NoGradGuard no_grad;
  add_in_place(x, x, 2);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{3, 3}));
  Tensor small = Tensor::ones({1});
  EXPECT_THROW(add_in_place(small, x), Error);
}

}  // namespace
}  // namespace gestalt
