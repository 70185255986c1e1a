#pragma once

// (internal to eval/) A row-major matrix of doubles for the metrics, and the products that they
// take, by BLAS.

#include <cstdint>
#include <vector>

namespace gestalt::eval {

struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(int64_t rows, int64_t columns)
      : Matrix(rows, columns, std::vector<double>(rows * columns)) {}
  Matrix(int64_t rows, int64_t columns, std::vector<double> values)
      : rows(rows), columns(columns), values(std::move(values)) {}

  double& operator()(int64_t i, int64_t j) { return values[i * columns + j]; }
  double operator()(int64_t i, int64_t j) const { return values[i * columns + j]; }
  const double* row(int64_t i) const { return values.data() + i * columns; }
};

// a b^T: the dot products of their rows. Error: rows of different lengths.
Matrix row_products(const Matrix& a, const Matrix& b);

// a^T a: the dot products of its columns. Symmetric to the bit.
Matrix column_products(const Matrix& a);

}  // namespace gestalt::eval
