#include "kernels/cuda/table.h"

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/own_kernels.h"

namespace gestalt {
namespace {

KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name) table.name.function = cuda::name;
  GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
  // library/conv2d.cpp
  GESTALT_ENTRY(conv2d_forward)
  GESTALT_ENTRY(conv2d_backward_data)
  GESTALT_ENTRY(conv2d_backward_weights)
  // library/matmul.cpp
  GESTALT_ENTRY(matmul)
  // library/gram.cpp
  GESTALT_ENTRY(gram_backward)
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable cuda_kernels = make_table();

}  // namespace gestalt
