// gram_backward by cuBLAS: one product with the symmetric part of dy. tests/simt compiles this
// file, too, with a matmul of its own.

#include "kernels/cuda/gram.h"

#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {

void gram_backward(Context& context, const View& dy, const View& x, double scale, const View& dx) {
  if (dx.numel() == 0) return;
  View symmetric = dy;
  symmetric.strides = strides_of(dy.shape, Format::contiguous);
  symmetric.data = context.workspace(static_cast<size_t>(dy.numel() * size_of(dy.dtype)));
  gram_symmetrize(context, dy, symmetric);
  // All three are dense, so that matmul leaves the workspace alone.
  matmul(context, symmetric, x, 2 * scale, 0, dx);
}

}  // namespace GESTALT_CUDA_NAMESPACE
