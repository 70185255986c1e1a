#include "eval/matrix.h"

#include <algorithm>
#include <cblas.h>

#include "kernels/error.h"

namespace gestalt::eval {

Matrix row_products(const Matrix& a, const Matrix& b) {
  GESTALT_CHECK(a.columns == b.columns,
                "[row_products] expected rows of equal length, got {} and {} values", a.columns,
                b.columns);
  Matrix y(a.rows, b.rows);
  if (y.values.empty()) return y;
  const auto size = [](int64_t value) { return static_cast<int>(value); };
  const int leading = std::max(1, size(a.columns));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size(a.rows), size(b.rows), size(a.columns),
              1, a.values.data(), leading, b.values.data(), leading, 0, y.values.data(),
              size(y.columns));
  return y;
}

}  // namespace gestalt::eval
