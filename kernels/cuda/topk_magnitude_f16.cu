#include "kernels/cuda/topk_launch.h"

namespace GESTALT_CUDA_NAMESPACE {

GESTALT_TOPK_SELECT(MagnitudeKey, float16)

}  // namespace GESTALT_CUDA_NAMESPACE
