#pragma once

// What launchers may ask about the device. tests/simt/shadow has the executor's answers.

#include <cuda_runtime.h>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

inline int device_attribute(const Context& context, cudaDeviceAttr attribute) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, context.device().index), "device limits");
  return value;
}

// Bytes of shared memory that one block may have, opted in to: 64 KiB (sm_75) to 227 KiB (sm_90).
inline size_t max_shared_bytes(const Context& context) {
  return static_cast<size_t>(device_attribute(context, cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

inline int multiprocessors(const Context& context) {
  return device_attribute(context, cudaDevAttrMultiProcessorCount);
}

inline size_t l2_bytes(const Context& context) {
  return static_cast<size_t>(device_attribute(context, cudaDevAttrL2CacheSize));
}

// The most blocks of a cluster of this kernel: 8 where the device has clusters and the kernel's
// code was made for such devices (older PTX, compiled for a newer one when loaded, knows none),
// else 1.
template <class... Parameters>
int max_cluster_size(const Context& context, void (*kernel)(Parameters...)) {
  if (device_attribute(context, cudaDevAttrClusterLaunch) == 0) return 1;
  check(cudaSetDevice(context.device().index), "device limits");
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, kernel), "device limits");
  return attributes.ptxVersion >= 90 ? 8 : 1;
}

}  // namespace GESTALT_CUDA_NAMESPACE
