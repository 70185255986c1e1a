#pragma once

// Page-locked memory for batches on their way to a device (internal to data/).

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "kernels/context.h"

namespace gestalt::data {

// Locking pages is slow, and giving them back waits for the device: blocks are kept for the next
// batch of the same size, by whichever loader. May be used by several threads at once.
class HostMemory {
 public:
  // The one of a CUDA device. Never destroyed: tensors may outlive whoever made them.
  static HostMemory& of(Device device);

  explicit HostMemory(Device device);
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  // Uninitialized. Out of memory: gives the kept blocks back, tries once more, then throws Error.
  void* take(size_t bytes);
  void give(void* pointer, size_t bytes);

 private:
  void trim();

  // Its own: workers take memory while the device's default context may be capturing a step.
  std::unique_ptr<Context> context_;
  std::mutex mutex_;
  std::multimap<size_t, void*> kept_;
};

}  // namespace gestalt::data
