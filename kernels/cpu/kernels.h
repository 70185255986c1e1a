#pragma once

// Declares gestalt::cpu::NAME for every entry of the kernel table; all of them exist.

#include "kernels/table.h"

namespace gestalt::cpu {

#define GESTALT_DECLARE_KERNEL(name, ...) Kernel<__VA_ARGS__>::Function name;
GESTALT_KERNELS(GESTALT_DECLARE_KERNEL)
#undef GESTALT_DECLARE_KERNEL

}  // namespace gestalt::cpu
