#include "tests/simt/table.h"

#include "kernels/cpu/table.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/own_kernels.h"

namespace gestalt {

const KernelTable& simt_kernels() {
  static const KernelTable table = [] {
    KernelTable own = cpu_kernels;
#define GESTALT_ENTRY(name) own.name.function = GESTALT_CUDA_NAMESPACE::name;
    GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
    return own;
  }();
  return table;
}

bool is_emulated(std::string_view name) {
  constexpr std::string_view names[] = {
#define GESTALT_ENTRY(name) #name,
      GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
  };
  for (const std::string_view own : names) {
    if (own == name) return true;
  }
  return false;
}

}  // namespace gestalt
