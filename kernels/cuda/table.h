#pragma once

#include "kernels/table.h"

namespace gestalt {

extern const KernelTable cuda_kernels;

}  // namespace gestalt
