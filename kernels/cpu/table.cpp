#include "kernels/cpu/table.h"

#include "kernels/cpu/kernels.h"

namespace gestalt {
namespace {

KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name) table.name.function = cpu::name
  // memory.cpp
  GESTALT_ENTRY(copy);
  GESTALT_ENTRY(fill);
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable cpu_kernels = make_table();

}  // namespace gestalt
