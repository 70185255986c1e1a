#include "kernels/runtime.h"

#ifdef GESTALT_WITH_CUDA
#include "kernels/cuda/runtime.h"
#endif

namespace gestalt {

const Runtime* runtime(DeviceType type) {
  if (type == DeviceType::cpu) return &cpu_runtime;
#ifdef GESTALT_WITH_CUDA
  return &cuda_runtime;
#else
  return nullptr;
#endif
}

}  // namespace gestalt
