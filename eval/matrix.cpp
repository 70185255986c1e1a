#include "eval/matrix.h"

#include <algorithm>
#include <cblas.h>

#include "kernels/error.h"

namespace gestalt::eval {

Matrix product(const Matrix& a, const Matrix& b, Transpose transpose) {
  const bool first = transpose == Transpose::first, second = transpose == Transpose::second;
  const int64_t rows = first ? a.columns : a.rows, inner = first ? a.rows : a.columns;
  const int64_t columns = second ? b.rows : b.columns;
  GESTALT_CHECK(inner == (second ? b.columns : b.rows),
                "[product] {}x{} and {}x{} matrices do not fit", a.rows, a.columns, b.rows,
                b.columns);
  Matrix y(rows, columns);
  if (y.values.empty()) return y;
  const auto leading = [](const Matrix& x) {
    return static_cast<int>(std::max<int64_t>(1, x.columns));
  };
  cblas_dgemm(CblasRowMajor, first ? CblasTrans : CblasNoTrans, second ? CblasTrans : CblasNoTrans,
              static_cast<int>(rows), static_cast<int>(columns), static_cast<int>(inner), 1,
              a.values.data(), leading(a), b.values.data(), leading(b), 0, y.values.data(),
              leading(y));
  return y;
}

}  // namespace gestalt::eval
