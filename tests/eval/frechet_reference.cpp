#include "tests/eval/frechet_reference.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gestalt::tests {
namespace {

struct Square {
  int64_t size;
  std::vector<double> values;

  explicit Square(int64_t size) : size(size), values(size * size) {}
  double& operator()(int64_t i, int64_t j) { return values[i * size + j]; }
  double operator()(int64_t i, int64_t j) const { return values[i * size + j]; }
};

Square product(const Square& a, const Square& b) {
  Square y(a.size);
  for (int64_t i = 0; i < a.size; ++i) {
    for (int64_t k = 0; k < a.size; ++k) {
      for (int64_t j = 0; j < a.size; ++j) y(i, j) += a(i, k) * b(k, j);
    }
  }
  return y;
}

struct Gaussian {
  std::vector<double> mean;
  Square covariance;
};

Gaussian gaussian_of(const Tensor& features) {
  const int64_t rows = features.size(0), columns = features.size(1);
  const std::vector<double> x = features.to_vector<double>();
  Gaussian result{std::vector<double>(columns), Square(columns)};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) {
      result.mean[i] += x[r * columns + i] / static_cast<double>(rows);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        result.covariance(i, j) += (x[r * columns + i] - result.mean[i]) *
                                   (x[r * columns + j] - result.mean[j]) /
                                   static_cast<double>(rows - 1);
      }
    }
  }
  return result;
}

// Jacobi's method: turns `x`, symmetric, until its diagonal holds the eigenvalues; the eigenvectors
// are the columns of what it gives back.
Square diagonalize(Square& x) {
  Square vectors(x.size);
  for (int64_t i = 0; i < x.size; ++i) vectors(i, i) = 1;
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (int64_t p = 0; p < x.size; ++p) {
      for (int64_t q = p + 1; q < x.size; ++q) {
        if (x(p, q) == 0) continue;
        const double angle = 0.5 * std::atan2(2 * x(p, q), x(q, q) - x(p, p));
        const double c = std::cos(angle), s = std::sin(angle);
        const auto turn = [&](double& a, double& b) {
          const double old = a;
          a = c * old - s * b;
          b = s * old + c * b;
        };
        for (int64_t k = 0; k < x.size; ++k) turn(x(k, p), x(k, q));
        for (int64_t k = 0; k < x.size; ++k) turn(x(p, k), x(q, k));
        for (int64_t k = 0; k < x.size; ++k) turn(vectors(k, p), vectors(k, q));
      }
    }
  }
  return vectors;
}

// Eigenvalues of a covariance below zero are rounding errors.
double root(double eigenvalue) {
  return std::sqrt(std::max(0.0, eigenvalue));
}

Square symmetric_root(Square x) {
  const Square vectors = diagonalize(x);
  Square y(x.size);
  for (int64_t i = 0; i < x.size; ++i) {
    for (int64_t j = 0; j < x.size; ++j) {
      for (int64_t k = 0; k < x.size; ++k) {
        y(i, j) += vectors(i, k) * root(x(k, k)) * vectors(j, k);
      }
    }
  }
  return y;
}

}  // namespace

double frechet_by_covariances(const Tensor& features1, const Tensor& features2) {
  const Gaussian a = gaussian_of(features1), b = gaussian_of(features2);
  const Square r = symmetric_root(a.covariance);
  Square turned = product(product(r, b.covariance), r);
  diagonalize(turned);
  double distance = 0;
  for (int64_t i = 0; i < r.size; ++i) {
    distance += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]) + a.covariance(i, i) +
                b.covariance(i, i) - 2 * root(turned(i, i));
  }
  return distance;
}

}  // namespace gestalt::tests
