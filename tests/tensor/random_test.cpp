#include "tensor/random.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

#include "kernels/error.h"
#include "kernels/philox.h"
#include "kernels/random.h"

namespace gestalt {
namespace {

// Known answers of the Random123 library.
TEST(Philox, GivesThePublishedWords) {
  const PhiloxBlock zero = philox({0, 0}, 0);
  EXPECT_EQ(zero.word[0], 0x6627e8d5u);
  EXPECT_EQ(zero.word[1], 0xe169c58du);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8u);
  const PhiloxBlock ones = philox({~uint64_t{0}, ~uint64_t{0}}, ~uint64_t{0});
  EXPECT_EQ(ones.word[0], 0x408f276du);
  EXPECT_EQ(ones.word[1], 0x41c83b0eu);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.word[3], 0x6d5451fdu);
}

TEST(Philox, SineAndCosineAreThoseOfTheAngle) {
  for (uint64_t i = 0; i < 100000; ++i) {
    // Random words, and all around the borders of the octants.
    const uint32_t random = philox({1, 2}, i).word[0];
    const uint32_t word = i % 2 == 0 ? random : (random & 0xE0000000u) + random % 16 - 8;
    float sine, cosine;
    philox_sincos(word, sine, cosine);
    const double angle = 2 * std::numbers::pi * word / 4294967296.0;
    ASSERT_NEAR(sine, std::sin(angle), 1.2e-7) << word;
    ASSERT_NEAR(cosine, std::cos(angle), 1.2e-7) << word;
  }
}

TEST(Philox, TheLogarithmIsAccurateToTheEnds) {
  for (uint64_t i = 0; i < 100000; ++i) {
    const uint32_t random = philox({3, 4}, i).word[0];
    const uint32_t word = i % 4 == 0   ? random >> random % 32
                          : i % 4 == 1 ? ~(random >> 16)
                                       : random;
    const double u = static_cast<double>(static_cast<float>(word) + 0.5f) / 4294967296.0;
    const double expected = -std::log(u);
    ASSERT_NEAR(philox_exponential(word), expected, 2e-7 * expected + 1e-30) << word;
  }
}

TEST(Generator, NormalValuesHaveTheMomentsAndTheDistribution) {
  Generator generator(11);
  const int64_t size = 1'000'000;
  std::vector<double> values = generator.normal({size}).to_vector<double>();
  double moment[5] = {};
  for (double value : values) {
    double power = 1;
    for (int k = 1; k <= 4; ++k) moment[k] += (power *= value) / static_cast<double>(size);
  }
  // Five standard errors each.
  EXPECT_NEAR(moment[1], 0, 0.005);
  EXPECT_NEAR(moment[2], 1, 0.0071);
  EXPECT_NEAR(moment[3], 0, 0.0194);
  EXPECT_NEAR(moment[4], 3, 0.049);
  std::sort(values.begin(), values.end());
  double distance = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double expected = 0.5 * std::erfc(-values[i] / std::numbers::sqrt2);
    distance = std::max(distance, std::abs(expected - (static_cast<double>(i) + 0.5) / 1e6));
  }
  EXPECT_LT(distance * std::sqrt(1e6), 1.95);  // Kolmogorov-Smirnov, 0.1 %
}

TEST(Generator, UniformValuesStayBelowTheUpperEndInEveryDtype) {
  for (DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
    Generator generator(5);
    double least = 1, most = 0, sum = 0;
    const std::vector<double> values =
        generator.uniform({400000}, 0, 1, {.dtype = dtype}).to_vector<double>();
    for (double value : values) {
      least = std::min(least, value);
      most = std::max(most, value);
      sum += value;
    }
    EXPECT_GE(least, 0) << to_string(dtype);
    EXPECT_LT(most, 1) << to_string(dtype);
    EXPECT_NEAR(sum / 400000, 0.5, dtype == DType::bf16 ? 5e-3 : 2.5e-3) << to_string(dtype);
  }
}

TEST(Generator, LargestBelowIsTheLastValueOfTheType) {
  EXPECT_EQ(largest_below<float>(0, 1), 0x1.fffffep-1);
  EXPECT_EQ(largest_below<bfloat16>(0, 1), 0x1.fep-1);
  EXPECT_EQ(largest_below<float16>(0, 1), 0x1.ffcp-1);
  EXPECT_EQ(largest_below<float16>(-1, 0), -0x1p-24);
  EXPECT_EQ(largest_below<float>(-2, -1), -0x1.000002p0);
  EXPECT_EQ(largest_below<double>(0, 1), 0x1.fffffffffffffp-1);
  EXPECT_EQ(largest_below<float>(2, 2), 2);
}

TEST(Generator, EachCallTakesTheNextOffsetAndTheStateRestoresIt) {
  Generator generator(9);
  const auto first = generator.normal({5}).to_vector<float>();
  const PhiloxState state = generator.state();
  const auto second = generator.normal({5}).to_vector<float>();
  EXPECT_NE(first, second);
  generator.set_state(state);
  EXPECT_EQ(generator.normal({5}).to_vector<float>(), second);
  EXPECT_NE(Generator(10).normal({5}).to_vector<float>(), first);
}

TEST(Generator, ValuesDoNotDependOnLayoutOrSize) {
  const auto plain = Generator(3).normal({2, 3, 4, 5}).to_vector<float>();
  const auto nhwc =
      Generator(3).normal({2, 3, 4, 5}, 0, 1, {.format = Format::channels_last}).to_vector<float>();
  EXPECT_EQ(plain, nhwc);
  const auto longer = Generator(3).normal({121}).to_vector<float>();
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), longer.begin()));
}

TEST(Generator, PermutationsAreFair) {
  Generator generator(1);
  std::vector<int> counts(24, 0);
  for (int i = 0; i < 24000; ++i) {
    const std::vector<int64_t> order = generator.permutation(4);
    int rank = 0;  // of the permutation, in lexical order
    for (int a = 0; a < 4; ++a) {
      int smaller = 0;
      for (int b = a + 1; b < 4; ++b) smaller += order[b] < order[a];
      rank = rank * (4 - a) + smaller;
    }
    ++counts[rank];
  }
  double chi2 = 0;
  for (int count : counts) chi2 += (count - 1000.0) * (count - 1000.0) / 1000;
  EXPECT_LT(chi2, 49.7);  // 23 degrees of freedom, 0.1 %
  std::vector<int64_t> large = generator.permutation(100000);
  std::sort(large.begin(), large.end());
  for (int64_t i = 0; i < 100000; ++i) ASSERT_EQ(large[i], i);
  EXPECT_TRUE(generator.permutation(0).empty());
}

TEST(Generator, SingleValuesAreInRange) {
  Generator generator(2);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 7000; ++i) {
    ++counts.at(static_cast<size_t>(generator.integer(7)));
    const double value = generator.uniform_value(-1, 1);
    ASSERT_GE(value, -1);
    ASSERT_LT(value, 1);
  }
  for (int count : counts) EXPECT_NEAR(count, 1000, 150);
  EXPECT_THROW(generator.integer(0), Error);
}

TEST(Generator, DoesNotWriteIntoWhatAutogradFollows) {
  Generator generator(2);
  Tensor x = Tensor::zeros({3}).set_requires_grad(true);
  EXPECT_THROW(generator.fill_normal(x, 0, 1), Error);
}

}  // namespace
}  // namespace gestalt
