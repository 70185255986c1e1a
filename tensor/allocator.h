#pragma once

// Device memory for tensors. CPU: a pool of 64-byte aligned blocks, since fresh pages cost more
// than most kernels that fill them. CUDA: the driver's stream-ordered pool.

#include <cstddef>

#include "kernels/types.h"

namespace gestalt {

struct MemoryStats {
  size_t in_use = 0;  // bytes handed out
  size_t peak = 0;    // the most ever handed out at once
  size_t cached = 0;  // bytes kept for reuse
};

// At least `bytes` on `device`; null for 0. Out of memory: gives the cached blocks back, tries once
// more, then throws Error with the sizes asked, used and free.
void* allocate(Device device, size_t bytes);
// `bytes` as asked for. Never throws.
void release(Device device, void* pointer, size_t bytes) noexcept;

// Throws Error where there is no such device.
MemoryStats memory_stats(Device device);
void reset_peak_memory(Device device);
// Gives cached blocks back to the system, with those that kernels of this thread keep on the CPU.
void empty_cache(Device device);

}  // namespace gestalt
