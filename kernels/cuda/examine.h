#pragma once

#include "kernels/examination.h"

namespace gestalt::cuda {

Examination examine();

}  // namespace gestalt::cuda
