#pragma once

// matmul of views as products that BLAS has words for. matmul.cpp gives them to cuBLAS, tests/simt
// to a stand-in of it.

#include "kernels/context.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/namespace.h"
#include "kernels/rounding.h"

namespace GESTALT_CUDA_NAMESPACE {

// A matrix as BLAS sees it: column-major with a leading dimension, or the transpose of one.
struct Matrix {
  bool valid = false;  // false: no leading dimension describes these strides
  bool transposed = false;
  int64_t leading = 1;
};

// x[batch, rows, columns]. Strides of dimensions of size 1 are anything.
inline Matrix as_matrix(const View& x, int row, int column) {
  const int64_t rows = x.shape[row], columns = x.shape[column];
  const int64_t row_stride = x.strides[row], column_stride = x.strides[column];
  const auto fits = [](int64_t inner, int64_t inner_stride, int64_t outer, int64_t outer_stride) {
    return (inner == 1 || inner_stride == 1) && (outer == 1 || outer_stride >= inner);
  };
  if (fits(rows, row_stride, columns, column_stride)) {
    return {true, false, columns == 1 ? rows : column_stride};
  }
  if (fits(columns, column_stride, rows, row_stride)) {
    return {true, true, rows == 1 ? columns : row_stride};
  }
  return {};
}

// y = alpha op(left) op(right) + beta y, `batch` times: y[rows, columns], op(left)[rows, depth].
struct Product {
  struct Operand {
    void* data;
    bool transposed;
    int64_t leading, batch_stride;
  };
  Operand left, right, y;  // y never transposed
  int64_t batch, rows, columns, depth;
  float alpha, beta;
  DType dtype;
};

// All three describable by leading dimensions. y = op(a) op(b) where y's columns are dense; where
// its rows are, as usual, that is y^T = op(b^T) op(a^T).
inline Product as_product(const View& a, const View& b, float alpha, float beta, const View& y) {
  const bool by_rows = as_matrix(y, 1, 2).transposed;
  const int row = by_rows ? 2 : 1, column = by_rows ? 1 : 2;
  const auto operand = [&](const View& x) -> Product::Operand {
    const Matrix matrix = as_matrix(x, row, column);
    return {x.data, matrix.transposed, matrix.leading, x.shape[0] == 1 ? 0 : x.strides[0]};
  };
  return {.left = operand(by_rows ? b : a),
          .right = operand(by_rows ? a : b),
          .y = operand(y),
          .batch = y.shape[0],
          .rows = y.shape[row],
          .columns = y.shape[column],
          .depth = a.shape[2],
          .alpha = alpha,
          .beta = beta,
          .dtype = y.dtype};
}

inline size_t dense_bytes(const View& x) {
  return round_up(static_cast<size_t>(x.numel() * size_of(x.dtype)), size_t{256});
}

// A contiguous view of x's shape at `memory`, which is moved behind it.
inline View carve(const View& x, char*& memory) {
  View dense = x;
  dense.data = memory;
  dense.strides = strides_of(x.shape, Format::contiguous);
  memory += dense_bytes(x);
  return dense;
}

// The table's matmul by multiply(product). Strides that BLAS has no words for are copied dense
// first, to the workspace, which is left alone where there are none.
template <class Multiply>
void matmul_by(Context& context, const View& a, const View& b, double alpha, double beta,
               const View& y, const Multiply& multiply) {
  if (y.numel() == 0) return;
  if (a.shape[2] == 0) {
    beta == 0 ? fill(context, 0, y) : multiply_scalar(context, y, beta, y);
    return;
  }
  const bool copy_a = !as_matrix(a, 1, 2).valid, copy_b = !as_matrix(b, 1, 2).valid;
  const bool copy_y = !as_matrix(y, 1, 2).valid;
  View dense_a = a, dense_b = b, dense_y = y;
  if (copy_a || copy_b || copy_y) {
    char* memory = static_cast<char*>(context.workspace((copy_a ? dense_bytes(a) : 0) +
                                                        (copy_b ? dense_bytes(b) : 0) +
                                                        (copy_y ? dense_bytes(y) : 0)));
    if (copy_a) copy(context, a, dense_a = carve(a, memory));
    if (copy_b) copy(context, b, dense_b = carve(b, memory));
    if (copy_y) dense_y = carve(y, memory);
    if (copy_y && beta != 0) copy(context, y, dense_y);
  }
  multiply(
      as_product(dense_a, dense_b, static_cast<float>(alpha), static_cast<float>(beta), dense_y));
  if (copy_y) copy(context, dense_y, y);
}

}  // namespace GESTALT_CUDA_NAMESPACE
