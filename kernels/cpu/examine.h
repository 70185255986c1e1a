#pragma once

// What the CPU backend says about itself and the processor, for `doctor`. Nothing throws.

#include "kernels/examination.h"

namespace gestalt::cpu {

Examination examine();

}  // namespace gestalt::cpu
