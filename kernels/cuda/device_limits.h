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

// How many clusters of `blocks` blocks of this kernel run at the same time: fewer than the
// multiprocessors would hold, since a cluster stays in one of their groups.
template <class... Parameters>
int max_active_clusters(const Context& context, void (*kernel)(Parameters...), unsigned blocks,
                        int threads, size_t shared_bytes) {
  constexpr const char* what = "device limits";
  check(cudaSetDevice(context.device().index), what);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared_bytes)),
        what);
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {blocks, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.attrs = &cluster;
  config.numAttrs = 1;
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, kernel, &config), what);
  return clusters;
}

}  // namespace GESTALT_CUDA_NAMESPACE
