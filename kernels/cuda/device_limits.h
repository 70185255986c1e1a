#pragma once

// What launchers may ask about the device. tests/simt/shadow has the executor's answers.

#include <cuda_runtime.h>
#include <map>
#include <set>
#include <tuple>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// Answers about the device and its kernels, which never change. Of a context, which one thread uses
// at a time, so that no lock is needed.
struct DeviceLimits {
  std::map<cudaDeviceAttr, int> attributes;
  std::set<const void*> much_shared_memory;  // kernels that may have it
  std::map<const void*, int> cluster_size;
  std::map<std::tuple<const void*, unsigned, int, size_t>, bool> has_room;  // for a cluster
};

// The answer to `key`, asked for once.
template <class Key, class Answer, class Ask>
Answer remembered(std::map<Key, Answer>& known, const Key& key, const Ask& ask) {
  if (const auto found = known.find(key); found != known.end()) return found->second;
  return known[key] = ask();
}

inline int device_attribute(Context& context, cudaDeviceAttr attribute) {
  return remembered(context.state<DeviceLimits>().attributes, attribute, [&] {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, attribute, context.device().index), "device limits");
    return value;
  });
}

// Bytes of shared memory that one block may have, opted in to: 64 KiB (sm_75) to 227 KiB (sm_90).
inline size_t max_shared_bytes(Context& context) {
  return static_cast<size_t>(device_attribute(context, cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

inline int multiprocessors(Context& context) {
  return device_attribute(context, cudaDevAttrMultiProcessorCount);
}

inline size_t l2_bytes(Context& context) {
  return static_cast<size_t>(device_attribute(context, cudaDevAttrL2CacheSize));
}

inline constexpr size_t plain_shared_bytes = 48 * 1024;  // that any block may have

// Lets blocks of this kernel have more than plain_shared_bytes. All that the device has, so
// that no context takes back what another one needs. The context's device is the current one.
template <class... Parameters>
void allow_much_shared_memory(Context& context, const char* name, void (*kernel)(Parameters...)) {
  auto& allowed = context.state<DeviceLimits>().much_shared_memory;
  const auto* key = reinterpret_cast<const void*>(kernel);
  if (allowed.contains(key)) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(max_shared_bytes(context))),
        name);
  // Else the driver may leave room for one block alone.
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                             cudaSharedmemCarveoutMaxShared),
        name);
  allowed.insert(key);
}

// The most blocks of a cluster of this kernel: 8 where the device has clusters and the kernel's
// code was made for such devices (older PTX, compiled for a newer one when loaded, knows none),
// else 1.
template <class... Parameters>
int max_cluster_size(Context& context, void (*kernel)(Parameters...)) {
  if (device_attribute(context, cudaDevAttrClusterLaunch) == 0) return 1;
  const auto* key = reinterpret_cast<const void*>(kernel);
  return remembered(context.state<DeviceLimits>().cluster_size, key, [&] {
    check(cudaSetDevice(context.device().index), "device limits");
    cudaFuncAttributes attributes{};
    check(cudaFuncGetAttributes(&attributes, kernel), "device limits");
    return attributes.ptxVersion >= 90 ? 8 : 1;
  });
}

// Whether a cluster of `blocks` blocks of this kernel can run: all of them in one of the groups of
// multiprocessors that the device, or the slice of it, has.
template <class... Parameters>
bool has_room_for_cluster(Context& context, void (*kernel)(Parameters...), unsigned blocks,
                          int threads, size_t shared_bytes) {
  const std::tuple key{reinterpret_cast<const void*>(kernel), blocks, threads, shared_bytes};
  return remembered(context.state<DeviceLimits>().has_room, key, [&] {
    constexpr const char* what = "device limits";
    check(cudaSetDevice(context.device().index), what);
    if (shared_bytes > plain_shared_bytes) allow_much_shared_memory(context, what, kernel);
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {blocks, 1, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = shared_bytes;
    config.attrs = &cluster;
    config.numAttrs = 1;
    int active = 0;
    const cudaError_t status = cudaOccupancyMaxActiveClusters(&active, kernel, &config);
    if (status == cudaErrorInvalidClusterSize) {  // a slice of a device may know smaller ones alone
      cudaGetLastError();
      active = 0;
    } else {
      check(status, what);
    }
    return active > 0;
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
