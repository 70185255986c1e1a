// What the cases of tests/cases cannot say: errors, shared memory, gradients at kinks.

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/compare.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tensor/random.h"
#include "tests/error_of.h"

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

using tests::error_of;

TEST(Gradients, AtKinksAreTheDocumentedOnes) {
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

TEST(Gradients, OfMaxAreSharedByTies) {
  EXPECT_EQ(gradient([](const Tensor& x) { return max(x); }, {1, 3, 3, 2}),
            (std::vector<double>{0, 0.5, 0.5, 0}));
}

TEST(Gradients, OfMaxAndMinAreSharedByInfiniteTies) {
  const double inf = std::numeric_limits<double>::infinity();
  using Values = std::vector<double>;
  const auto of_max = [](const Tensor& x) { return max(x); };
  const auto of_min = [](const Tensor& x) { return min(x); };
  EXPECT_EQ(gradient(of_max, {1, inf, -inf, inf}), (Values{0, 0.5, 0, 0.5}));
  EXPECT_EQ(gradient(of_max, {-inf, -inf}), (Values{0.5, 0.5}));
  EXPECT_EQ(gradient(of_min, {1, inf, -inf, 2}), (Values{0, 0, 1, 0}));
  EXPECT_EQ(gradient(of_min, {2, 1, 1, 3}), (Values{0, 0.5, 0.5, 0}));
  EXPECT_TRUE(std::isnan(gradient(of_max, {1, NAN})[0]));
}

// More ties than 16 bits can count.
TEST(Gradients, OfMaxAreSharedByManyTies) {
  Tensor x = Tensor::ones({300000}, {.dtype = DType::f16}).set_requires_grad(true);
  max(x).backward(Tensor::full({}, 300, {.dtype = DType::f16}));
  EXPECT_EQ(x.grad().to_vector<float>()[7], static_cast<float>(float16(0.001f)));
}

TEST(Gradients, OfWhereAreZeroWhereTheOtherWasChosen) {
  // 1 / x at x = 0 is what where is used against: inf comes back there, and 0 * inf is NaN.
  Tensor x = vector_of({0, 2}).set_requires_grad(true);
  Tensor y = vector_of({5}).set_requires_grad(true);
  const Tensor condition = equal(x, 0);
  sum(where(condition, y, 1 / where(condition, Tensor::ones({1}, {.dtype = DType::f64}), x)))
      .backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, -0.25}));
  EXPECT_EQ(y.grad().to_vector<double>(), (std::vector<double>{1}));

  Tensor a = vector_of({1, 2}).set_requires_grad(true);
  where(condition, a, vector_of({3, 4})).backward(vector_of({1, NAN}));
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{1, 0}));
}

TEST(Gradients, OfMaximumAndMinimumAreHalvedByTies) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const bool greatest : {true, false}) {
    Tensor a = Tensor::from_vector<double>({1, 2, 3, nan}, {4}).set_requires_grad(true);
    Tensor b = Tensor::from_vector<double>({3, 2, 1, 1}, {4}).set_requires_grad(true);
    (greatest ? maximum(a, b) : minimum(a, b)).backward(Tensor::ones({4}, {DType::f64}));
    const std::vector<double> lower{0, 0.5, 1, 1}, upper{1, 0.5, 0, 1};
    EXPECT_EQ(a.grad().to_vector<double>(), greatest ? lower : upper);
    const std::vector<double> higher{1, 0.5, 0, 1}, under{0, 0.5, 1, 1};
    EXPECT_EQ(b.grad().to_vector<double>(), greatest ? higher : under);
  }
}

TEST(Reductions, TakeOneDimensionAsANumber) {
  const Tensor x = Tensor::from_vector<double>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(sum(x, 1).to_vector<double>(), (std::vector<double>{6, 15}));
  EXPECT_EQ(mean(x, int64_t{-2}, true).to_vector<double>(), (std::vector<double>{2.5, 3.5, 4.5}));
  EXPECT_EQ(mean(x, -2, true).shape(), (Shape{1, 3}));
  EXPECT_EQ(sum(x, {}).item(), 21);  // of all, not of dimension 0
  EXPECT_EQ(sum(x, {0}).to_vector<double>(), (std::vector<double>{5, 7, 9}));
}

TEST(Comparisons, OfIntegersAreExact) {
  const int64_t large = (int64_t{1} << 60) + 1;  // no double
  const Tensor a = Tensor::from_vector<int64_t>({large, large - 1, -1}, {3});
  const Tensor b = Tensor::from_vector<int64_t>({large - 1, large - 1, 1}, {3});
  EXPECT_EQ(greater(a, b).to_vector<uint8_t>(), (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(equal(a, b).to_vector<uint8_t>(), (std::vector<uint8_t>{0, 1, 0}));
  EXPECT_EQ(less_equal(a, b).to_vector<uint8_t>(), (std::vector<uint8_t>{0, 1, 1}));
  EXPECT_EQ(less(a, 0).to_vector<uint8_t>(), (std::vector<uint8_t>{0, 0, 1}));
  EXPECT_EQ(less(a, 0).dtype(), DType::u8);
}

TEST(IndexSelect, TakesEveryDtype) {
  const Tensor rows = Tensor::from_vector<int64_t>({1, 1, 0}, {3});
  const std::vector<double> values{1, 2, 3, 4}, expected{3, 4, 3, 4, 1, 2};
  for (DType dtype : {DType::f32, DType::bf16, DType::f64, DType::i64, DType::u8}) {
    const Tensor y = index_select(Tensor::from_vector(values, {2, 2}).to(dtype), 0, rows);
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.to_vector<double>(), expected);
  }
}

TEST(IndexSelect, NamesAnIndexThatIsOutside) {
  const Tensor x = Tensor::zeros({2, 3});
  const auto taken = [&](std::vector<int64_t> indices) {
    const Shape shape{static_cast<int64_t>(indices.size())};
    return error_of([&] { index_select(x, 1, Tensor::from_vector(indices, shape)); });
  };
  EXPECT_EQ(taken({0, 2}), "");
  EXPECT_EQ(taken({0, 3}), "[index_select] index 3 at 1 is not one of the 3 rows");
  EXPECT_EQ(taken({-1}), "[index_select] index -1 at 0 is not one of the 3 rows");
  EXPECT_EQ(error_of([&] { index_select(x, 0, Tensor::zeros({2})); }),
            "[index_select] expected indices i64[K] on cpu, got f32[2]");
  EXPECT_THROW(index_select(x, 2, Tensor::zeros({1}, {.dtype = DType::i64})), Error);
}

TEST(Divide, ByAScalarRoundsOnce) {
  std::vector<float> bytes(256), quotients(256);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<float>(i);
    quotients[i] = bytes[i] / 255.0f;
  }
  const Tensor x = Tensor::from_vector(bytes, {2, 128});
  EXPECT_EQ(divide(x, 255).to_vector<float>(), quotients);
  EXPECT_NE((x / 255).to_vector<float>(), quotients);  // some products with 1/255 differ
  EXPECT_EQ(divide(Tensor::full(Shape{}, 6), 4).shape(), Shape{});
  EXPECT_EQ(gradient([](const Tensor& v) { return divide(v, 4); }, {1, -3}),
            (std::vector<double>{0.25, 0.25}));
}

TEST(Gradients, OfAnInputUsedTwiceAddUp) {
  EXPECT_EQ(gradient([](const Tensor& x) { return x * x - x / 2 + x; }, {1, -3}),
            (std::vector<double>{2.5, -5.5}));
}

TEST(Gradients, KeepChannelsLast) {
  Tensor x = Tensor::ones({2, 3, 4, 5}, {.format = Format::channels_last}).set_requires_grad(true);
  const Tensor y = relu(x * Tensor::ones({3, 1, 1}));
  EXPECT_EQ(y.format(), Format::channels_last);
  mean(y).backward();
  EXPECT_EQ(x.grad().format(), Format::channels_last);
}

TEST(Format, OfAPartIsThatOfTheWhole) {
  const Tensor whole = Tensor::ones({3, 6, 4, 5}, {.format = Format::channels_last});
  for (const int dim : {0, 1, 2, 3}) {
    const Tensor part = narrow(whole, dim, 1, 2);
    EXPECT_EQ(part.format(), Format::channels_last) << dim;
    EXPECT_TRUE(part.clone().view().is_channels_last()) << dim;
    EXPECT_TRUE(part.dense().view().is_channels_last()) << dim;
    EXPECT_EQ(narrow(whole.contiguous(), dim, 1, 2).format(), Format::contiguous) << dim;
  }
  EXPECT_EQ(expand(Tensor::ones({2, 6, 1, 1}), {2, 6, 4, 5}).format(), Format::contiguous);
}

TEST(Gradients, OfCatAreViewsOfWhichLeavesKeepTheirPart) {
  const Tensor a = Tensor::ones({1, 2}).set_requires_grad(true);
  const Tensor b = Tensor::ones({3, 2}).set_requires_grad(true);
  const Tensor dy = Tensor::from_vector<float>({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2});
  (cat({a, b}, 0) * 2).backward(dy);
  EXPECT_EQ(a.grad().to_vector<float>(), (std::vector<float>{2, 4}));
  EXPECT_EQ(b.grad().to_vector<float>(), (std::vector<float>{6, 8, 10, 12, 14, 16}));
  EXPECT_EQ(a.grad().storage()->bytes(), 2 * sizeof(float));
  EXPECT_EQ(b.grad().storage()->bytes(), 6 * sizeof(float));
}

TEST(Errors, NameTheOpAndBothTensors) {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::zeros({4});
  EXPECT_EQ(error_of([&] { add(a, b); }), "[add] shapes do not broadcast: f32[2,3] and f32[4]");
  EXPECT_EQ(error_of([&] { multiply(a, a.to(DType::f64)); }),
            "[multiply] inputs have different dtypes: f32[2,3] and f64[2,3]");
  EXPECT_EQ(error_of([&] { exp(a.to(DType::i64)); }), "[exp] no cpu kernel for i64");
  EXPECT_EQ(error_of([&] {
              reshape(a, {4, -1});
            }),
            "[reshape] f32[2,3] does not have the elements of [4,-1]");
  EXPECT_EQ(error_of([&] { narrow(a, 1, 2, 2); }),
            "[narrow] 2 elements from 2 of dimension 1 are outside f32[2,3]");
  EXPECT_THROW(narrow(a, 1, 2, std::numeric_limits<int64_t>::max()), Error);
  EXPECT_EQ(error_of([&] { select(a, 1, -4); }),
            "[select] index -4 of dimension 1 is outside f32[2,3]");
  EXPECT_EQ(error_of([&] { add(a, Tensor()); }),
            "[add] an input is an undefined tensor: f32[2,3] and undefined");
  EXPECT_EQ(error_of([&] { reshape(a, {-2, -3}); }), "[reshape] [-2,-3] has a negative size");
  EXPECT_EQ(error_of([&] { expand(b, {-1, 4}); }), "[expand] f32[4] does not expand to [-1,4]");
  EXPECT_EQ(error_of([&] { squeeze(a, 0); }), "[squeeze] dimension 0 of f32[2,3] is not of size 1");
  EXPECT_EQ(error_of([&] { expand(a, {2, 4}); }), "[expand] f32[2,3] does not expand to [2,4]");
  EXPECT_EQ(error_of([&] {
              cat({a, b}, 0);
            }),
            "[cat] f32[2,3] and f32[4] differ beside dimension 0");
  EXPECT_EQ(error_of([&] { sum(a, {0, -2}); }), "[sum] dimension 0 comes twice");
  EXPECT_EQ(error_of([&] { max(Tensor::zeros({0})); }),
            "[max] nothing to take the maximum of in f32[0]");
  EXPECT_EQ(error_of([&] { min(Tensor::zeros({0})); }),
            "[min] nothing to take the minimum of in f32[0]");
  EXPECT_EQ(error_of([&] { stack({a, b}); }), "[stack] shapes differ: f32[2,3] and f32[4]");
  EXPECT_EQ(error_of([&] { stack({}); }), "[stack] expected at least one tensor");
  EXPECT_THROW(stack({a}, 3), Error);
  EXPECT_EQ(error_of([&] { less(a, b); }), "[less] shapes do not broadcast: f32[2,3] and f32[4]");
  const Tensor whole = b.to(DType::u8);
  EXPECT_EQ(error_of([&] { equal(whole, 0.5); }), "[equal] 0.5 is no u8, of which u8[4] is");
  EXPECT_THROW(equal(whole, 256), Error);
  EXPECT_EQ(error_of([&] { where(a, a, a); }),
            "[where] expected a condition of u8 on cpu, got f32[2,3]");
  EXPECT_EQ(error_of([&] { where(whole, a, a); }),
            "[where] shapes do not broadcast: u8[4] and f32[2,3]");
  EXPECT_THROW(where(whole, b, b.to(DType::f64)), Error);
  EXPECT_THROW(sum(a, {2}), Error);
  EXPECT_THROW(permute(a, {0, 0}), Error);
  EXPECT_THROW(select(a, 0, 2), Error);
}

TEST(Errors, SayThatATensorIsUndefinedAndWhatItMayBe) {
  const std::string hint = " (a gradient before backward, or of a tensor that is no leaf?)";
  const Tensor none;
  EXPECT_EQ(error_of([&] { sum(none); }), "[sum] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { variance(none); }),
            "[variance] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { max(none); }), "[max] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { argmax(none, 0); }), "[argmax] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { exp(none); }), "[exp] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { none.item(); }), "[item] the input is an undefined tensor" + hint);
  EXPECT_EQ(error_of([&] { none.to_vector<float>(); }),
            "[to_vector] the input is an undefined tensor" + hint);
  Tensor a = Tensor::ones({2});
  a.set_requires_grad(true);
  EXPECT_EQ(error_of([&] { a.grad().shape(); }), "use of an undefined tensor" + hint);
  const Tensor b = a * 2.0;
  sum(b).backward();
  EXPECT_EQ(a.grad().to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(error_of([&] { b.grad().shape(); }), "use of an undefined tensor" + hint);
}

TEST(Errors, SumsOfIntegersSayWhatToDo) {
  const Tensor hits = equal(Tensor::ones({2}), 1.0);
  EXPECT_EQ(error_of([&] { sum(hits); }),
            "[sum] expected a floating tensor, got u8[2]; convert it with to(DType::f32)");
  EXPECT_EQ(error_of([&] { mean(hits.to(DType::i64)); }),
            "[mean] expected a floating tensor, got i64[2]; convert it with to(DType::f32)");
  EXPECT_EQ(error_of([&] { variance(hits); }),
            "[variance] expected a floating tensor, got u8[2]; convert it with to(DType::f32)");
  EXPECT_EQ(mean(hits.to(DType::f32)).item(), 1);
}

TEST(Tensors, OfHostValuesHaveTheDtypeAskedForElseTheValues) {
  const std::vector<double> values = {1.5, 2.0 / 3};
  EXPECT_EQ(Tensor::from_vector(values, {2}).dtype(), DType::f64);
  EXPECT_EQ(Tensor::from_vector(values, {2}, {.format = Format::contiguous}).dtype(), DType::f64);
  const Tensor x = Tensor::from_vector(values, {2}, {DType::f32});
  EXPECT_EQ(x.dtype(), DType::f32);
  EXPECT_EQ(x.to_vector<double>()[1], double{2.0f / 3});
  EXPECT_EQ(Tensor::from_vector(values, {2}, {DType::i64}).to_vector<int64_t>(),
            (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(Tensor::from_vector<int64_t>({1, 2}, {2}, {.dtype = DType::f32}).dtype(), DType::f32);
}

TEST(Errors, OfMaximumNameWhatIsNoFloatingTensor) {
  const Tensor whole = Tensor::ones({2}, {DType::i64});
  EXPECT_EQ(error_of([&] { maximum(whole, whole); }),
            "[maximum] expected floating tensors, got i64[2] and i64[2]");
}

TEST(Views, ExpandLeavesTheSizesThatAreMinus1) {
  const Tensor x = Tensor::from_vector<float>({1, 2}, {2, 1});
  EXPECT_EQ(expand(x, {3, -1, 2}).to_vector<float>(), expand(x, {3, 2, 2}).to_vector<float>());
}

TEST(Views, OutsideOfTheStorageAreErrors) {
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_NO_THROW(x.as_strided({2, 2}, {3, 1}, 1));
  EXPECT_NO_THROW(x.as_strided({3}, {-2}, 5));
  EXPECT_NO_THROW(x.as_strided({0, 9}, {1, 1}, 6));
  EXPECT_THROW(x.as_strided({2, 2}, {3, 1}, 2), Error);
  EXPECT_THROW(x.as_strided({3}, {-2}, 3), Error);
  EXPECT_THROW(x.as_strided({1}, {1}, -1), Error);
  EXPECT_THROW(x.as_strided({3}, {std::numeric_limits<int64_t>::max()}, 0), Error);
}

TEST(Tensors, WithMoreElementsThanCanBeCountedAreErrors) {
  const int64_t large = int64_t{1} << 32;
  EXPECT_EQ(error_of([&] {
              Tensor::empty({large, large});
            }),
            "[empty] shape [4294967296,4294967296] has more elements than can be counted");
  EXPECT_THROW(Tensor::empty({int64_t{1} << 62}), Error);  // its bytes
  EXPECT_THROW(Tensor::empty({large, large, 0}), Error);   // its strides
  EXPECT_EQ(Tensor::empty({large, 0}).numel(), 0);
  EXPECT_THROW(expand(Tensor::ones({}), {large, large}), Error);
}

// More pixels than one piece of the work has.
TEST(Formats, OfLargeRgbImagesChangeThereAndBack) {
  for (const DType dtype : {DType::u8, DType::bf16, DType::f32, DType::f64}) {
    const Tensor x = Generator(1).uniform({2, 3, 97, 131}, 0, 200).to(dtype);
    const Tensor channels_last = x.contiguous(Format::channels_last);
    EXPECT_EQ(channels_last.to_vector<double>(), x.to_vector<double>()) << to_string(dtype);
    EXPECT_EQ(channels_last.contiguous().to_vector<double>(), x.to_vector<double>())
        << to_string(dtype);
  }
}

TEST(Powers, OfF32HaveAnExponentOfF32) {
  constexpr double almost_3 = 3.0000000001;  // in f32 it is 3, which is odd
  EXPECT_EQ(pow(Tensor::full({1}, -2), almost_3).item(), -8);
  EXPECT_TRUE(std::isnan(pow(Tensor::full({1}, -2, {.dtype = DType::f64}), almost_3).item()));
}

TEST(Powers, OfOneHalfAreThoseOfPow) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto root = [&](double x) {
      return pow(Tensor::full({1}, x, {.dtype = dtype}), 0.5).item();
    };
    EXPECT_EQ(root(-infinity), infinity);
    EXPECT_FALSE(std::signbit(root(-0.0)));
    EXPECT_EQ(root(9), 3);
    EXPECT_TRUE(std::isnan(root(-1)));
  }
}

TEST(Gradients, AskedForOfACatKeepTheirPart) {
  Tensor a = Tensor::ones({2, 2}), b = Tensor::ones({2, 3});
  for (Tensor* leaf : {&a, &b}) leaf->set_requires_grad(true);
  const Tensor both = cat({a, b}, 1), weights = Tensor::ones({2, 5});
  const Tensor wanted[] = {a};
  const Tensor gradient =
      gradients(std::span(&both, 1), std::span(&weights, 1), std::span(wanted))[0];
  EXPECT_EQ(gradient.storage()->bytes(), 4 * sizeof(float));
  gradient.fill_(7);
  EXPECT_EQ(weights.to_vector<float>(), std::vector<float>(10, 1));
}

TEST(Gradients, AskedForAreNotTheCallersOwn) {
  Tensor a = Tensor::ones({2, 2}).set_requires_grad(true);
  Tensor b = Tensor::ones({2, 2}).set_requires_grad(true);
  const Tensor outputs[] = {cat({a}, 1), a + b},
               weights[] = {Tensor::ones({2, 2}), Tensor::ones({2, 2})};
  const Tensor wanted[] = {a, b};
  for (int i = 0; i < 2; ++i) {
    const auto both = gradients(std::span(&outputs[i], 1), std::span(&weights[i], 1),
                                std::span(wanted, i == 0 ? 1 : 2));
    both[0].fill_(7);
    EXPECT_EQ(weights[i].to_vector<float>(), std::vector<float>(4, 1));
    if (i == 1) {
      EXPECT_EQ(both[1].to_vector<float>(), std::vector<float>(4, 1));
    }
  }
}

TEST(SignsOfZero, AreKeptOfASingleNumber) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    const Tensor zero = Tensor::full({1}, -0.0, {.dtype = dtype});
    EXPECT_EQ(divide(Tensor::ones({40}, {.dtype = dtype}), -0.0).to_vector<double>(),
              std::vector<double>(40, -infinity));
    EXPECT_EQ(pow(zero, -1).item(), -infinity);
    for (const double value : expand(zero, {40}).contiguous().to_vector<double>()) {
      EXPECT_TRUE(std::signbit(value)) << to_string(dtype);
    }
    // As many as fill vectors, and more.
    for (const double value : pow(expand(zero, {45}), -3).to_vector<double>()) {
      EXPECT_EQ(value, -infinity) << to_string(dtype);
    }
  }
}

TEST(Variance, OfNothingIsNaN) {
  EXPECT_TRUE(std::isnan(variance(Tensor::zeros({2, 0})).item()));
  EXPECT_TRUE(std::isnan(variance(Tensor::zeros({1})).item()));
}

TEST(Views, ShareMemoryAndVersion) {
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

TEST(InPlace, IsRefusedWhereAutogradFollows) {
  Tensor x = Tensor::ones({2}).set_requires_grad(true);
  EXPECT_THROW(add_in_place(x, x), Error);
  EXPECT_THROW(multiply_in_place(x, 2), Error);
  Tensor buffer = Tensor::zeros({2});  // would lose the gradient of what it takes
  EXPECT_THROW(add_in_place(buffer, x), Error);
  EXPECT_THROW(buffer.copy_(x), Error);
  EXPECT_NO_THROW(buffer.copy_(x.detach()));
  const NoGradGuard no_grad;
  add_in_place(x, x, 2);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{3, 3}));
  Tensor small = Tensor::ones({1});
  EXPECT_THROW(add_in_place(small, x), Error);
}

TEST(InPlace, ReadsASourceThatSharesMemoryBeforeItChangesIt) {
  using Values = std::vector<float>;
  const auto numbers = [] {
    return Tensor::from_vector<float>({0, 1, 2, 3, 4, 5, 6, 7, 8}, {3, 3});
  };
  Tensor x = numbers();
  add_in_place(x, narrow(x, 0, 0, 1));  // broadcast
  EXPECT_EQ(x.to_vector<float>(), (Values{0, 2, 4, 3, 5, 7, 6, 8, 10}));
  x = numbers();
  add_in_place(x, transpose(x, 0, 1));
  EXPECT_EQ(x.to_vector<float>(), (Values{0, 4, 8, 4, 8, 12, 8, 12, 16}));
  x = numbers();
  x.copy_(transpose(x, 0, 1));
  EXPECT_EQ(x.to_vector<float>(), (Values{0, 3, 6, 1, 4, 7, 2, 5, 8}));
  x = numbers();
  Tensor last = narrow(x, 0, 1, 2);
  add_in_place(last, narrow(x, 0, 0, 2));
  EXPECT_EQ(x.to_vector<float>(), (Values{0, 1, 2, 3, 5, 7, 9, 11, 13}));
  x = numbers();
  add_in_place(x, x);
  EXPECT_EQ(x.to_vector<float>(), (Values{0, 2, 4, 6, 8, 10, 12, 14, 16}));
}

TEST(InPlace, IsRefusedWhereElementsAreOne) {
  Tensor x = expand(Tensor::ones({1}), {1000});
  EXPECT_EQ(
      error_of([&] { multiply_in_place(x, 2); }),
      "[multiply_in_place] in-place change of f32[1000], whose elements along dimension 0 are "
      "one (stride 0); clone() it first");
  EXPECT_THROW(add_in_place(x, Tensor::ones({1000})), Error);
  EXPECT_THROW(x.fill_(2), Error);
  EXPECT_THROW(x.copy_(Tensor::ones({1000})), Error);
  Tensor one = expand(Tensor::ones({1}), {1});
  EXPECT_NO_THROW(multiply_in_place(one, 2));
}

TEST(Arithmetic, WholeTensorsTakeWholeScalars) {
  const Tensor x = Tensor::full({2}, 3, {.dtype = DType::i64});
  EXPECT_EQ((x - 5).to_vector<int64_t>(), (std::vector<int64_t>{-2, -2}));
  EXPECT_EQ(error_of([&] { add(x, 0.5); }), "[add] 0.5 is no i64, of which i64[2] is");
  EXPECT_THROW(add(x, NAN), Error);
  EXPECT_THROW(add(x, 1e30), Error);
}

// Means and squares don't pass through the 16 bits.
TEST(Reduce, VarianceOfSixteenBitsIsThatOfTheirValues) {
  const Tensor near = Tensor::from_vector(std::vector<float>{256, 258}, {2}).to(DType::bf16);
  EXPECT_EQ(variance(near).item(), 2);
  std::vector<float> spike(1000, 0);
  spike[0] = 600;
  const Tensor far = Tensor::from_vector(spike, {1000}).to(DType::f16);
  EXPECT_EQ(variance(far).item(), 360);
  EXPECT_EQ(variance(far).dtype(), DType::f16);
}

}  // namespace
}  // namespace gestalt
