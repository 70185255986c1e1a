#include "tensor/allocator.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tensor/cpu_pool.h"

namespace gestalt {
namespace {

CpuPool& cpu_pool() {
  static auto* pool = new CpuPool;  // outlives tensors in static storage
  return *pool;
}

struct CudaCounters {
  std::mutex mutex;
  std::map<int, MemoryStats> stats;
};

CudaCounters& cuda_counters() {
  static auto* counters = new CudaCounters;
  return *counters;
}

void* allocate_cuda(Device device, size_t bytes) {
  Context& ctx = context(device);
  void* pointer = ctx.runtime().allocate(ctx, bytes);
  CudaCounters& counters = cuda_counters();
  const std::lock_guard lock(counters.mutex);
  MemoryStats& stats = counters.stats[device.index];
  if (pointer == nullptr) {
    const MemoryInfo memory = ctx.runtime().memory(ctx);
    throw Error(format("out of memory on {}: asked {} bytes, {} in use, {} of {} free", device,
                       bytes, stats.in_use, memory.free, memory.total));
  }
  stats.in_use += bytes;
  stats.peak = std::max(stats.peak, stats.in_use);
  return pointer;
}

}  // namespace

void* allocate(Device device, size_t bytes) {
  if (bytes == 0) return nullptr;
  return device.is_cpu() ? cpu_pool().take(bytes) : allocate_cuda(device, bytes);
}

void release(Device device, void* pointer, size_t bytes) noexcept {
  if (pointer == nullptr) return;
  if (device.is_cpu()) {
    cpu_pool().give(pointer);
    return;
  }
  Context& ctx = context(device);
  ctx.runtime().release(ctx, pointer);
  CudaCounters& counters = cuda_counters();
  const std::lock_guard lock(counters.mutex);
  counters.stats[device.index].in_use -= bytes;
}

MemoryStats memory_stats(Device device) {
  if (device.is_cpu()) return cpu_pool().stats();
  Context& ctx = context(device);
  const size_t cached = ctx.runtime().memory(ctx).cached;
  CudaCounters& counters = cuda_counters();
  const std::lock_guard lock(counters.mutex);
  MemoryStats stats = counters.stats[device.index];
  stats.cached = cached;
  return stats;
}

void reset_peak_memory(Device device) {
  if (device.is_cpu()) {
    cpu_pool().reset_peak();
    return;
  }
  CudaCounters& counters = cuda_counters();
  const std::lock_guard lock(counters.mutex);
  MemoryStats& stats = counters.stats[device.index];
  stats.peak = stats.in_use;
}

void empty_cache(Device device) {
  if (device.is_cpu()) cpu_pool().drop();
  Context& ctx = context(device);
  ctx.runtime().trim(ctx);
}

}  // namespace gestalt
