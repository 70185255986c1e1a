// matmul by cuBLAS. f32 products are f32 products, as PyTorch's are by default: TF32 is never used.

#include <algorithm>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/check.h"
#include "kernels/cuda/library/handles.h"

namespace gestalt::cuda {
namespace {

// A matrix as BLAS sees it: column-major with a leading dimension, or the transpose of one.
struct Matrix {
  bool valid = false;  // false: no leading dimension describes these strides
  cublasOperation_t operation = CUBLAS_OP_N;
  int64_t leading = 1;
};

// x[batch, rows, columns]. Strides of dimensions of size 1 are anything.
Matrix as_matrix(const View& x, int row, int column) {
  const int64_t rows = x.shape[row], columns = x.shape[column];
  const int64_t row_stride = x.strides[row], column_stride = x.strides[column];
  const auto fits = [](int64_t inner, int64_t inner_stride, int64_t outer, int64_t outer_stride) {
    return (inner == 1 || inner_stride == 1) && (outer == 1 || outer_stride >= inner);
  };
  if (fits(rows, row_stride, columns, column_stride)) {
    return {true, CUBLAS_OP_N, columns == 1 ? rows : column_stride};
  }
  if (fits(columns, column_stride, rows, row_stride)) {
    return {true, CUBLAS_OP_T, rows == 1 ? columns : row_stride};
  }
  return {};
}

size_t dense_bytes(const View& x) {
  return (static_cast<size_t>(x.numel() * size_of(x.dtype)) + 255) / 256 * 256;
}

// A contiguous view of x's shape at `memory`, which is moved behind it.
View carve(const View& x, char*& memory) {
  View dense = x;
  dense.data = memory;
  dense.strides = strides_of(x.shape, Format::contiguous);
  memory += dense_bytes(x);
  return dense;
}

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDA_R_32F;
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::f16:
      return CUDA_R_16F;
    default:
      throw Error(format("[matmul] no cuda kernel for {}", dtype));
  }
}

int64_t batch_stride(const View& x) {
  return x.shape[0] == 1 ? 0 : x.strides[0];
}

// All three describable by leading dimensions. y = op(a) op(b) where y's columns are dense; where
// its rows are, as usual, that is y^T = op(b^T) op(a^T).
void multiply(Context& context, const View& a, const View& b, float alpha, float beta,
              const View& y) {
  const bool by_rows = as_matrix(y, 1, 2).operation == CUBLAS_OP_T;
  const int row = by_rows ? 2 : 1, column = by_rows ? 1 : 2;
  const View& left = by_rows ? b : a;
  const View& right = by_rows ? a : b;
  const Matrix left_matrix = as_matrix(left, row, column);
  const Matrix right_matrix = as_matrix(right, row, column);
  const cudaDataType_t type = data_type(y.dtype);
  check(
      cublas().cublasGemmStridedBatchedEx_64(
          cublas_handle(context), left_matrix.operation, right_matrix.operation, y.shape[row],
          y.shape[column], a.shape[2], &alpha, left.data, type, left_matrix.leading,
          batch_stride(left), right.data, type, right_matrix.leading, batch_stride(right), &beta,
          y.data, type, as_matrix(y, row, column).leading, batch_stride(y), y.shape[0],
          context.exact() ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      "matmul");
}

}  // namespace

void matmul(Context& context, const View& a, const View& b, double alpha, double beta,
            const View& y) {
  if (y.numel() == 0) return;
  if (a.shape[2] == 0) {
    beta == 0 ? fill(context, 0, y) : multiply_scalar(context, y, beta, y);
    return;
  }
  // Strides that BLAS has no words for are copied dense first.
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
  multiply(context, dense_a, dense_b, static_cast<float>(alpha), static_cast<float>(beta), dense_y);
  if (copy_y) copy(context, dense_y, y);
}

}  // namespace gestalt::cuda
