#pragma once

#include "kernels/examination.h"

namespace gestalt::cuda {

Examination examine();
NoDevice why_no_device();  // see Runtime

}  // namespace gestalt::cuda
