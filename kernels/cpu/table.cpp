#include "kernels/cpu/table.h"

#include "kernels/cpu/kernels.h"

namespace gestalt {
namespace {

// The CPU has every kernel: one that is missing does not link.
KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name, ...) table.name.function = cpu::name;
  GESTALT_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable cpu_kernels = make_table();

}  // namespace gestalt
