#include "tensor/allocator.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"

namespace gestalt {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;  // a pool would hide use after free
#else
constexpr bool pooling = true;
#endif

// Blocks of at most this much slack are handed out for a smaller request.
constexpr double largest_waste = 1.125;

size_t block_size(size_t bytes) {
  const size_t unit = bytes < (size_t{1} << 20) ? 64 : size_t{1} << 16;
  return (bytes + unit - 1) / unit * unit;
}

class CpuPool {
 public:
  void* take(size_t bytes) {
    const size_t size = block_size(bytes);
    const std::lock_guard lock(mutex_);
    void* pointer = nullptr;
    auto found = free_.lower_bound(size);
    if (found != free_.end() && found->first <= static_cast<size_t>(size * largest_waste)) {
      pointer = found->second;
      taken_[pointer] = found->first;
      stats_.cached -= found->first;
      free_.erase(found);
    } else {
      Context& ctx = context({});
      pointer = cpu_runtime.allocate(ctx, size);
      if (pointer == nullptr) {
        drop_locked();
        pointer = cpu_runtime.allocate(ctx, size);
      }
      GESTALT_CHECK(pointer != nullptr, "out of memory on the CPU: asked {} bytes, {} in use",
                    bytes, stats_.in_use);
      taken_[pointer] = size;
    }
    stats_.in_use += taken_[pointer];
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    return pointer;
  }

  void give(void* pointer) {
    const std::lock_guard lock(mutex_);
    const auto taken = taken_.find(pointer);
    const size_t size = taken->second;
    taken_.erase(taken);
    stats_.in_use -= size;
    if (!pooling) {
      std::free(pointer);
      return;
    }
    free_.emplace(size, pointer);
    stats_.cached += size;
  }

  void drop() {
    const std::lock_guard lock(mutex_);
    drop_locked();
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

 private:
  void drop_locked() {
    for (const auto& [size, pointer] : free_) std::free(pointer);
    free_.clear();
    stats_.cached = 0;
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  std::map<void*, size_t> taken_;
  MemoryStats stats_;
};

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
  if (pointer == nullptr) {
    ctx.runtime().synchronize(ctx);  // pending releases return to the pool
    pointer = ctx.runtime().allocate(ctx, bytes);
  }
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
  CudaCounters& counters = cuda_counters();
  const std::lock_guard lock(counters.mutex);
  return counters.stats[device.index];
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
  if (device.is_cpu()) {
    cpu_pool().drop();
  } else {
    synchronize(device);
  }
}

}  // namespace gestalt
