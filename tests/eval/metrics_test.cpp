// FID and KID against torch-fidelity's figures (tests/fixtures/metrics), and what must hold of
// them.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "eval/frechet.h"
#include "eval/generative_metrics.h"
#include "eval/kernel_distance.h"
#include "eval/numpy_random.h"
#include "kernels/error.h"
#include "tensor/context.h"
#include "tensor/io/npy.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"
#include "tests/cuda_device.h"
#include "tests/error_of.h"
#include "tests/eval/frechet_reference.h"
#include "tests/source_folder.h"

namespace gestalt::eval {
namespace {

const std::filesystem::path fixtures = tests::source_folder() / "tests/fixtures/metrics";

// The formula of make_metrics.py.
Tensor features(int64_t rows, int64_t columns, double shift) {
  std::vector<double> values;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const double a = static_cast<double>(i), b = static_cast<double>(j);
      values.push_back(std::sin(0.7 * a + 1.3 * b * b + 0.01 * a * b + shift) + 0.1 * shift);
    }
  }
  return Tensor::from_vector(values, {rows, columns});
}

std::vector<std::string> lines_of(bool choices) {
  std::ifstream file(fixtures / "metrics.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#') && line.starts_with("choice") == choices) lines.push_back(line);
  }
  return lines;
}

TEST(Metrics, EqualTorchFidelity) {
  const std::vector<std::string> lines = lines_of(false);
  ASSERT_EQ(lines.size(), 3u);
  for (const std::string& line : lines) {
    SCOPED_TRACE(line);
    int64_t rows1 = 0, rows2 = 0, columns = 0, size = 0;
    double fid = 0, kid_mean = 0, kid_deviation = 0;
    std::istringstream(line) >> rows1 >> rows2 >> columns >> size >> fid >> kid_mean >>
        kid_deviation;
    const Tensor a = features(rows1, columns, 0), b = features(rows2, columns, 0.5);
    EXPECT_NEAR(frechet_distance(a, b) / fid, 1, 1e-6);
    EXPECT_NEAR(tests::frechet_by_covariances(a, b) / fid, 1, 1e-6);
    const KernelDistance kid = kernel_distance(a, b, {.subset_size = size});
    EXPECT_NEAR(kid.mean / kid_mean, 1, 1e-9);
    EXPECT_NEAR(kid.deviation / kid_deviation, 1, 1e-9);
    EXPECT_EQ(kid.subset_size, size);
  }
}

TEST(Metrics, ChoicesAreNumPys) {
  NumpyRandomState random(2020);
  const std::vector<std::string> lines = lines_of(true);
  ASSERT_EQ(lines.size(), 5u);
  for (const std::string& line : lines) {
    std::istringstream words(line);
    std::string word;
    int64_t population = 0, size = 0;
    words >> word >> population >> size;
    std::vector<int64_t> expected(size);
    for (int64_t& value : expected) words >> value;
    EXPECT_EQ(random.choice(population, size), expected) << line;
  }
  EXPECT_THROW(random.choice(3, 4), Error);
}

TEST(FrechetDistance, FewSamplesOfManyFeaturesAreExact) {
  // Rank-deficient covariances, where a matrix square root gives complex values. The oracle takes
  // none.
  const Tensor a = features(7, 40, 0), b = features(12, 40, 1);
  const double direct = frechet_distance(a, b);
  EXPECT_NEAR(tests::frechet_by_covariances(a, b) / direct, 1, 1e-6);
  EXPECT_NEAR(frechet_distance(b, a) / direct, 1, 1e-12);
}

TEST(FrechetDistance, OfFactorsIsThatOfFeatures) {
  const Tensor many = features(30, 8, 0), few = features(5, 8, 1), more = features(40, 8, 0.5);
  EXPECT_EQ(factor_gaussian(many).factor.shape(), (Shape{8, 8}));
  EXPECT_EQ(factor_gaussian(few).factor.shape(), (Shape{5, 8}));
  EXPECT_EQ(frechet_distance(factor_gaussian(many), factor_gaussian(more)),
            frechet_distance(many, more));
  EXPECT_NEAR(frechet_distance(factor_gaussian(many), factor_gaussian(few)) /
                  tests::frechet_by_covariances(many, few),
              1, 1e-6);
  EXPECT_FALSE(is_by_factors(3000, 100, 2048));
  EXPECT_TRUE(is_by_factors(3000, 2000, 2048));
  EXPECT_THROW(frechet_distance(factor_gaussian(many), factor_gaussian(features(9, 7, 0))), Error);
}

GaussianFactor of_file(const std::string& name) {
  const StateDict arrays = load_npz(fixtures / (name + ".npz"));
  return factor_gaussian(arrays.at(0).tensor, arrays.at(1).tensor);
}

// Also of fewer samples than dimensions, and of features on one side.
TEST(FrechetDistance, OfStatisticsIsThatOfTheMatrixRootAndOfTheFeatures) {
  std::ifstream file(fixtures / "statistics.txt");
  std::string line;
  int pairs = 0;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    SCOPED_TRACE(line);
    ++pairs;
    std::string name1, name2;
    int64_t rows1 = 0, rows2 = 0, columns = 0;
    double shift1 = 0, shift2 = 0, fid = 0;
    std::istringstream(line) >> name1 >> name2 >> rows1 >> rows2 >> shift1 >> shift2 >> columns >>
        fid;
    const Tensor a = features(rows1, columns, shift1), b = features(rows2, columns, shift2);
    const GaussianFactor of_a = of_file(name1), of_b = of_file(name2);
    EXPECT_NEAR(frechet_distance(of_a, of_b) / fid, 1, 1e-6);
    EXPECT_NEAR(frechet_distance(of_a, of_b) / frechet_distance(a, b), 1, 1e-6);
    EXPECT_NEAR(frechet_distance(factor_gaussian(a), of_b) / fid, 1, 1e-6);
    EXPECT_NEAR(frechet_distance(of_a, factor_gaussian(b)) / fid, 1, 1e-6);
    EXPECT_EQ(frechet_distance(of_b, of_b), 0);
    EXPECT_EQ(of_b.factor.size(0), std::min(rows2 - 1, columns));  // its rank
  }
  EXPECT_EQ(pairs, 3);
}

TEST(FrechetDistance, CovariancesAreNumPys) {
  for (const auto& [name, rows, shift] :
       {std::tuple{"many", 60, 0.0}, {"more", 200, 0.5}, {"few", 7, 1.0}}) {
    const StateDict arrays = load_npz(fixtures / (std::string(name) + ".npz"));
    const GaussianFactor made = factor_gaussian(features(rows, 16, shift));
    const Tensor covariance = covariance_of(made);
    EXPECT_LE(max(abs(made.mean - arrays[0].tensor)).item(), 1e-14) << name;
    EXPECT_LE(max(abs(covariance - arrays[1].tensor)).item(), 1e-14) << name;
    EXPECT_EQ(covariance.to_vector<double>(),
              transpose(covariance, 0, 1).contiguous().to_vector<double>())
        << name;
  }
}

TEST(FrechetDistance, OfStatisticsWithoutSpreadIsThatOfTheMeans) {
  const GaussianFactor a =
      factor_gaussian(Tensor::full({3}, 1, {DType::f64}), Tensor::zeros({3, 3}, {DType::f64}));
  EXPECT_EQ(a.factor.shape(), (Shape{0, 3}));
  EXPECT_EQ(frechet_distance(a, a), 0);
  const GaussianFactor c = factor_gaussian(
      Tensor::zeros({3}), Tensor::from_vector<float>({2, 0, 0, 0, 1, 0, 0, 0, 0}, {3, 3}));
  EXPECT_NEAR(frechet_distance(a, c), 3 + 3, 1e-12);
  EXPECT_THROW(frechet_distance(a, of_file("many")), Error);
}

TEST(FrechetDistance, WhatIsNoCovarianceIsNamed) {
  const auto refusal = [](const Tensor& mean, const Tensor& covariance) {
    return tests::error_of([&] { factor_gaussian(mean, covariance); });
  };
  const auto square = [](std::vector<double> values) {
    return Tensor::from_vector(values, {2, 2});
  };
  const Tensor mean = Tensor::zeros({2}, {DType::f64}), good = square({2, 1, 1, 2});
  EXPECT_EQ(refusal(mean, good), "");
  EXPECT_EQ(refusal(mean, square({2, 1, 1 + 1e-7, 2})), "");  // rounding of f32
  EXPECT_EQ(refusal(Tensor::zeros({3}, {DType::f64}), good),
            "[frechet] expected a mean [d] and a covariance [d,d], got f64[3] and f64[2,2]");
  EXPECT_NE(refusal(Tensor::zeros({1, 2}), good), "");
  EXPECT_EQ(refusal(mean * NAN, good), "[frechet] a mean with values that are not finite");
  EXPECT_EQ(refusal(mean, square({2, INFINITY, 1, 2})),
            "[frechet] a covariance with values that are not finite");
  EXPECT_EQ(refusal(mean, square({2, 1, 0.5, 2})),
            "[frechet] a covariance that is not symmetric: 0.5 at [1,0], 1 at [0,1]");
  const std::string negative = refusal(mean, square({1, 2, 2, 1}));
  EXPECT_TRUE(negative.starts_with("[frechet] no covariance has eigenvalues below zero, got -"))
      << negative;
}

// f64 is the CPU's: with a GPU as the default device too, nothing of it goes there.
TEST(FrechetDistance, StatisticsAreOnTheCpu) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  const Tensor a = features(30, 8, 0);
  set_default_device(cuda);
  const GaussianFactor factor = factor_gaussian(a);
  set_default_device(Device{});
  EXPECT_EQ(factor.mean.device(), Device{});
  EXPECT_EQ(factor.factor.device(), Device{});
}

TEST(FrechetDistance, OfOneDimensionIsTheFormula) {
  const Tensor a = Tensor::from_vector<double>({1, 3, 5, 7}, {4, 1});
  const Tensor b = Tensor::from_vector<double>({2, 2, 5}, {3, 1});
  const double s1 = std::sqrt(20.0 / 3), s2 = std::sqrt(3.0);
  EXPECT_NEAR(frechet_distance(a, b), (4 - 3) * (4 - 3) + (s1 - s2) * (s1 - s2), 1e-12);
}

TEST(FrechetDistance, OfASetToItselfIsZero) {
  const Tensor a = features(50, 12, 0), few = features(20, 70, 0);
  const Tensor turned = cat({narrow(a, 0, 20, 30), narrow(a, 0, 0, 20)}, 0);
  for (const double scale : {1.0, 1e-6, 1e3}) {  // what rounding leaves grows with it
    EXPECT_EQ(frechet_distance(a * scale, a * scale), 0);
    EXPECT_EQ(frechet_distance(a * scale, turned * scale), 0);
    EXPECT_EQ(frechet_distance(few * scale, few * scale), 0);
    EXPECT_GT(frechet_distance(a * scale, a * (scale * (1 + 1e-5))), 0);  // small, and none of it
  }
  EXPECT_NEAR(frechet_distance(a, a + 2.0), 12 * 4, 1e-9);
}

TEST(Metrics, AStampSaysWhatIsKnownOfTheWeights) {
  const auto text = [](Weights weights, const std::string& hash) {
    return to_text({.origin = {"kernel", "[0,255]", "net", hash, weights},
                    .width = 2048,
                    .images1 = 3,
                    .images2 = 4,
                    .draws = "as given"});
  };
  const std::string begin = "resize kernel; range [0,255]; N 3 against 4; network net (";
  const std::string end = "), 2048 features; draws as given";
  const std::string hash = "0123456789abcdef";
  EXPECT_EQ(text(Weights::trained, hash), begin + "published weights 0123456789ab" + end);
  EXPECT_EQ(text(Weights::given, hash), begin + "given weights 0123456789ab" + end);
  EXPECT_EQ(text(Weights::untrained, hash), begin + "0123456789ab" + end);
  EXPECT_EQ(text(Weights::unknown, ""), begin + "hash unknown" + end);
  MetricStamp of_statistics;
  of_statistics.images1 = 3;
  EXPECT_NE(to_text(of_statistics).find("N 3 against not told;"), std::string::npos);
}

TEST(Metrics, BadInputIsNamed) {
  const Tensor a = features(5, 3, 0);
  EXPECT_THROW(frechet_distance(a, features(5, 4, 0)), Error);
  EXPECT_THROW(frechet_distance(features(1, 3, 0), a), Error);
  EXPECT_THROW(frechet_distance(Tensor::full({5, 3}, NAN, {DType::f64}), a), Error);
  EXPECT_THROW(kernel_distance(a, features(5, 4, 0)), Error);
  EXPECT_THROW(kernel_distance(features(1, 3, 0), a), Error);
}

TEST(KernelDistance, RoundingIsNoDistance) {
  const Tensor row = features(1, 4, 0);
  const Tensor equal = cat(std::vector<Tensor>(40, row), 0);  // of 40 equal images
  for (const double scale : {0.1, 1.0, 1e3}) {
    for (const int64_t size : {7, 20, 40}) {
      const KernelDistance kid =
          kernel_distance(equal * scale, equal * scale, {.subset_size = size});
      EXPECT_EQ(kid.mean, 0) << scale << " " << size;
      EXPECT_EQ(kid.deviation, 0) << scale << " " << size;
    }
  }
  EXPECT_GT(kernel_distance(equal, equal * (1 + 1e-4)).mean, 0);  // small, and none of it
  // Subsets that are whole sets, in other orders: one figure.
  const KernelDistance whole = kernel_distance(features(20, 4, 0), features(20, 4, 1));
  EXPECT_NE(whole.mean, 0);
  EXPECT_EQ(whole.deviation, 0);
}

TEST(KernelDistance, OneSubsetHasNoDeviation) {
  const auto of = [](int64_t subsets) {
    return kernel_distance(features(30, 4, 0), features(12, 4, 1),
                           {.subsets = subsets, .subset_size = 7});
  };
  EXPECT_TRUE(std::isnan(of(1).deviation));
  EXPECT_GT(of(2).deviation, 0);
}

TEST(KernelDistance, SubsetsShrinkToTheSmallerSet) {
  EXPECT_EQ(kernel_distance(features(30, 4, 0), features(12, 4, 1)).subset_size, 12);
}

}  // namespace
}  // namespace gestalt::eval
