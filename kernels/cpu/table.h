#pragma once

#include "kernels/table.h"

namespace gestalt {

extern const KernelTable cpu_kernels;

}  // namespace gestalt
