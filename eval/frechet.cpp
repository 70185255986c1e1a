#include "eval/frechet.h"

#include <algorithm>
#include <cmath>
#include <lapacke.h>
#include <limits>
#include <vector>

#include "eval/matrix.h"
#include "eval/rounding.h"
#include "kernels/error.h"

namespace gestalt::eval {
namespace {

void check_finite(const char* what, const std::vector<double>& values) {
  GESTALT_CHECK(
      std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }),
      "[frechet] {} with values that are not finite", what);
}

Matrix centred(const Tensor& features, std::vector<double>& mean) {
  GESTALT_CHECK(features.rank() == 2 && features.size(0) >= 2 && features.size(1) >= 1,
                "[frechet] expected features [n,d] with n >= 2, got {}", features);
  Matrix x{features.size(0), features.size(1), features.to_vector<double>()};
  check_finite("features", x.values);
  mean.assign(x.columns, 0);
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.columns; ++j) mean[j] += x(i, j);
  }
  for (double& value : mean) value /= static_cast<double>(x.rows);
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.columns; ++j) x(i, j) -= mean[j];
  }
  return x;
}

Matrix to_matrix(const Tensor& x) {
  return {x.size(0), x.size(1), x.to_vector<double>()};
}

Tensor to_tensor(const Matrix& x) {
  return Tensor::from_vector(x.values, {x.rows, x.columns}, {.device = Device{}});
}

void succeeded(lapack_int info, const char* routine) {
  GESTALT_CHECK(info == 0, "[frechet] LAPACK's {} failed: expected info 0, got {}", routine, info);
}

lapack_int size(int64_t value) {
  return static_cast<lapack_int>(value);
}

// R of x = Q R where x has more rows than columns: R^T R = x^T x. Else x itself.
Matrix triangular(Matrix x) {
  if (x.rows <= x.columns) return x;
  std::vector<double> reflectors(x.columns);
  succeeded(LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, size(x.rows), size(x.columns), x.values.data(),
                           size(x.columns), reflectors.data()),
            "dgeqrf");
  Matrix r(x.columns, x.columns);
  for (int64_t i = 0; i < r.rows; ++i) {
    for (int64_t j = i; j < r.columns; ++j) r(i, j) = x(i, j);
  }
  return r;
}

// diag(sqrt(e)) V^T of a symmetric matrix V diag(e) V^T, without the rows where no more than
// rounding is left of e: the roots of that would not be small.
Matrix symmetric_factor(Matrix x) {
  const int64_t d = x.rows;
  std::vector<double> eigenvalues(d);  // ascending; row i of x becomes the eigenvector of the i-th
  succeeded(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', size(d), x.values.data(), size(d),
                           eigenvalues.data()),
            "dsyevd");
  const double largest = eigenvalues.back();
  GESTALT_CHECK(-eigenvalues.front() <= 1e-4 * std::abs(largest),
                "[frechet] no covariance has eigenvalues below zero, got {} (the largest is {})",
                eigenvalues.front(), largest);
  const double rounding = std::numeric_limits<double>::epsilon() * static_cast<double>(d) * largest;
  const auto first = std::find_if(eigenvalues.begin(), eigenvalues.end(),
                                  [&](double value) { return value > rounding; });
  const int64_t left_out = first - eigenvalues.begin();
  Matrix factor(d - left_out, d);
  for (int64_t i = 0; i < factor.rows; ++i) {
    const double root = std::sqrt(eigenvalues[left_out + i]);
    for (int64_t j = 0; j < d; ++j) factor(i, j) = root * x(left_out + i, j);
  }
  return factor;
}

// Taken as its transpose, in column order: the singular values are the same, and nothing is copied.
double nuclear_norm(Matrix x) {
  if (x.values.empty()) return 0;
  std::vector<double> singular(std::min(x.rows, x.columns));
  succeeded(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', size(x.columns), size(x.rows), x.values.data(),
                           size(x.columns), singular.data(), nullptr, 1, nullptr, 1),
            "dgesdd");
  double sum = 0;
  for (const double value : singular) sum += value;
  return sum;
}

double trace_of_square(const Matrix& x) {
  double sum = 0;
  for (const double value : x.values) sum += value * value;
  return sum;
}

// A distance, from `terms` that are positive and those taken off them.
double difference(double terms, double off) {
  const double value = terms - off;
  return value < 0 || is_rounding(value, terms) ? 0 : value;
}

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// From A and B with A^T A = (samples1 - 1) S1: the centred features, or a factor of them.
double distance(const Matrix& a, const std::vector<double>& mean1, int64_t samples1,
                const Matrix& b, const std::vector<double>& mean2, int64_t samples2) {
  const auto n1 = static_cast<double>(samples1 - 1), n2 = static_cast<double>(samples2 - 1);
  const double cross = nuclear_norm(row_products(a, b)) / std::sqrt(n1 * n2);
  const double terms =
      squared_distance(mean1, mean2) + trace_of_square(a) / n1 + trace_of_square(b) / n2;
  return difference(terms, 2 * cross);
}

}  // namespace

GaussianFactor factor_gaussian(const Tensor& features) {
  std::vector<double> mean;
  const Matrix factor = triangular(centred(features, mean));
  return {Tensor::from_vector(mean, {factor.columns}, {.device = Device{}}), to_tensor(factor),
          features.size(0)};
}

GaussianFactor factor_gaussian(const Tensor& mean, const Tensor& covariance) {
  const int64_t d = mean.numel();
  GESTALT_CHECK(d >= 1 && mean.shape() == Shape{d} && covariance.shape() == (Shape{d, d}),
                "[frechet] expected a mean [d] and a covariance [d,d], got {} and {}", mean,
                covariance);
  const std::vector<double> means = mean.to_vector<double>();
  Matrix s{d, d, covariance.to_vector<double>()};
  check_finite("a mean", means);
  check_finite("a covariance", s.values);
  double largest = 0;
  for (const double value : s.values) largest = std::max(largest, std::abs(value));
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      GESTALT_CHECK(std::abs(s(i, j) - s(j, i)) <= 1e-5 * largest,
                    "[frechet] a covariance that is not symmetric: {} at [{},{}], {} at [{},{}]",
                    s(i, j), i, j, s(j, i), j, i);
      s(i, j) = s(j, i) = (s(i, j) + s(j, i)) / 2;
    }
  }
  const Matrix factor = symmetric_factor(std::move(s));
  return {Tensor::from_vector(means, {d}, {.device = Device{}}), to_tensor(factor), 2};
}

Tensor covariance_of(const GaussianFactor& gaussian) {
  Matrix s = column_products(to_matrix(gaussian.factor));
  for (double& value : s.values) value /= static_cast<double>(gaussian.samples - 1);
  return to_tensor(s);
}

bool is_by_factors(int64_t n1, int64_t n2, int64_t d) {
  return 2 * std::min(n1, n2) >= d;
}

double frechet_distance(const Tensor& features1, const Tensor& features2) {
  std::vector<double> mean1, mean2;
  Matrix a = centred(features1, mean1), b = centred(features2, mean2);
  GESTALT_CHECK(a.columns == b.columns, "[frechet] expected features of equal width, got {} and {}",
                a.columns, b.columns);
  if (is_by_factors(a.rows, b.rows, a.columns)) {
    a = triangular(std::move(a));
    b = triangular(std::move(b));
  }
  return distance(a, mean1, features1.size(0), b, mean2, features2.size(0));
}

double frechet_distance(const GaussianFactor& factor1, const GaussianFactor& factor2) {
  GESTALT_CHECK(factor1.mean.shape() == factor2.mean.shape(),
                "[frechet] expected means of equal shape, got {} and {}", factor1.mean,
                factor2.mean);
  return distance(to_matrix(factor1.factor), factor1.mean.to_vector<double>(), factor1.samples,
                  to_matrix(factor2.factor), factor2.mean.to_vector<double>(), factor2.samples);
}

}  // namespace gestalt::eval
