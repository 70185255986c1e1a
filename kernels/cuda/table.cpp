#include "kernels/cuda/table.h"

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/own_kernels.h"

namespace gestalt {
namespace {

KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name) table.name.function = cuda::name;
  GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
  GESTALT_LIBRARY_CUDA_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable cuda_kernels = make_table();

}  // namespace gestalt
