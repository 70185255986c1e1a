// matmul by cuBLAS. f32 products are f32 products, as PyTorch's are by default: TF32 is never used.

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/check.h"
#include "kernels/cuda/library/handles.h"
#include "kernels/cuda/library/product.h"

namespace gestalt::cuda {
namespace {

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

cublasOperation_t operation(const Product::Operand& operand) {
  return operand.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

void multiply(Context& context, const Product& product) {
  const auto& [left, right, y, batch, rows, columns, depth, alpha, beta, dtype] = product;
  const cudaDataType_t type = data_type(dtype);
  check(
      cublas().cublasGemmStridedBatchedEx_64(
          cublas_handle(context), operation(left), operation(right), rows, columns, depth, &alpha,
          left.data, type, left.leading, left.batch_stride, right.data, type, right.leading,
          right.batch_stride, &beta, y.data, type, y.leading, y.batch_stride, batch,
          context.exact() ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      "matmul");
  wait_if_asked(context, "matmul");
}

}  // namespace

void matmul(Context& context, const View& a, const View& b, double alpha, double beta,
            const View& y) {
  matmul_by(context, a, b, alpha, beta, y,
            [&](const Product& product) { multiply(context, product); });
}

}  // namespace gestalt::cuda
