#include "kernels/runtime.h"

#include "kernels/set_runtime.h"

#ifdef GESTALT_WITH_CUDA
#include "kernels/cuda/runtime.h"
#endif

namespace gestalt {
namespace {

#ifdef GESTALT_WITH_CUDA
constinit const Runtime* cuda_backend = &cuda_runtime;
#else
constinit const Runtime* cuda_backend = nullptr;
#endif

}  // namespace

const Runtime* runtime(DeviceType type) {
  return type == DeviceType::cpu ? &cpu_runtime : cuda_backend;
}

void set_cuda_runtime(const Runtime& runtime) {
  cuda_backend = &runtime;
}

}  // namespace gestalt
