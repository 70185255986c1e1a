#pragma once

#include "kernels/examination.h"

namespace gestalt::cpu {

Examination examine();

}  // namespace gestalt::cpu
