#pragma once

// kernels/cuda/device_limits.h under the SIMT executor: what it is told of the device.

#include <cstddef>

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"
#include "tests/simt/executor.h"

namespace GESTALT_CUDA_NAMESPACE {

inline size_t max_shared_bytes(const Context&) {
  return simt::device_properties().shared_bytes;
}

inline int multiprocessors(const Context&) {
  return simt::device_properties().multiprocessors;
}

// As much a multiprocessor as an H100 has.
inline size_t l2_bytes(const Context&) {
  return static_cast<size_t>(simt::device_properties().multiprocessors) * 400 * 1024;
}

template <class... Parameters>
int max_cluster_size(Context&, void (*)(Parameters...)) {
  return simt::device_properties().architecture >= 90 ? 8 : 1;
}

template <class... Parameters>
bool has_room_for_cluster(Context&, void (*)(Parameters...), unsigned, int, size_t) {
  return simt::device_properties().has_room_for_clusters;
}

}  // namespace GESTALT_CUDA_NAMESPACE
