#include "eval/matrix.h"

#include <algorithm>
#include <cblas.h>

#include "kernels/error.h"

namespace gestalt::eval {
namespace {

int size(int64_t value) {
  return static_cast<int>(value);
}

}  // namespace

Matrix row_products(const Matrix& a, const Matrix& b) {
  GESTALT_CHECK(a.columns == b.columns,
                "[row_products] expected rows of equal length, got {} and {} values", a.columns,
                b.columns);
  Matrix y(a.rows, b.rows);
  if (y.values.empty()) return y;
  const int leading = std::max(1, size(a.columns));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size(a.rows), size(b.rows), size(a.columns),
              1, a.values.data(), leading, b.values.data(), leading, 0, y.values.data(),
              size(y.columns));
  return y;
}

Matrix column_products(const Matrix& a) {
  Matrix y(a.columns, a.columns);
  const int columns = size(a.columns), leading = std::max(1, columns);
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, columns, size(a.rows), 1, a.values.data(),
              leading, 0, y.values.data(), leading);
  for (int64_t i = 0; i < y.rows; ++i) {
    for (int64_t j = 0; j < i; ++j) y(i, j) = y(j, i);
  }
  return y;
}

}  // namespace gestalt::eval
