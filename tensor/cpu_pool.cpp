#include "tensor/cpu_pool.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/error.h"

namespace gestalt {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;  // a pool would hide use after free
#else
constexpr bool pooling = true;
#endif

constexpr size_t alignment = 64;
constexpr size_t growth = size_t{32} << 20;  // of a range's writable part

size_t rounded_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * page_size();
}

}  // namespace

void* CpuPool::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  // No request of this size can be met; beyond it, sums would overflow.
  const bool sane = bytes <= SIZE_MAX / 4;
  const size_t size = sane ? rounded_up(bytes, alignment) : 0;
  char* pointer = sane ? take_locked(size) : nullptr;
  if (pointer == nullptr && sane) {
    drop_locked();
    pointer = take_locked(size);
  }
  GESTALT_CHECK(pointer != nullptr, "out of memory on the CPU: asked {} bytes, {} in use", bytes,
                stats_.in_use);
  taken_[pointer] = size;
  stats_.in_use += size;
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return pointer;
}

void CpuPool::give(void* pointer) {
  const std::lock_guard lock(mutex_);
  const auto taken = taken_.find(pointer);
  const size_t size = taken->second;
  taken_.erase(taken);
  stats_.in_use -= size;
  if (!pooling) {
    std::free(pointer);
    return;
  }
  add_free(static_cast<char*>(pointer), {size, true});
}

// The smallest free block that is large enough; what is left of it stays free.
char* CpuPool::take_locked(size_t size) {
  if (!pooling) return static_cast<char*>(std::aligned_alloc(alignment, size));
  const auto found = free_by_size_.lower_bound({size, nullptr});
  if (found != free_by_size_.end()) {
    char* const pointer = found->second;
    const auto block = free_.find(pointer);
    const Free whole = block->second;
    remove_free(block);
    if (whole.size > size) add_free(pointer + size, {whole.size - size, whole.resident});
    return pointer;
  }
  if (!ranges_.empty()) {
    if (char* pointer = extend(ranges_.back(), size)) return pointer;
  }
  return reserve(size) ? extend(ranges_.back(), size) : nullptr;
}

// A block at the range's end, with the free one that may be there; null where there is no room.
char* CpuPool::extend(Range& range, size_t size) {
  char* const end = range.base + range.used;
  char* pointer = end;
  auto last = free_.lower_bound(end);
  if (last != free_.begin() && range.used > 0) {
    --last;
    if (last->first + last->second.size == end) pointer = last->first;
  }
  const auto used = static_cast<size_t>(pointer - range.base) + size;
  if (used > range.reserved) return nullptr;
  if (used > range.writable) {
    const size_t writable = std::min(rounded_up(used, growth), range.reserved);
    if (mprotect(range.base, writable, PROT_READ | PROT_WRITE) != 0) return nullptr;
    range.writable = writable;
  }
  if (pointer != end) remove_free(last);
  range.used = used;
  return pointer;
}

// A range of as many addresses as there is memory, or as many as are to be had.
bool CpuPool::reserve(size_t size) {
  const size_t least = rounded_up(size, page_size());
  for (size_t bytes = std::max(physical_memory(), least);; bytes = std::max(bytes / 2, least)) {
    void* const base = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base != MAP_FAILED) {
      ranges_.push_back({static_cast<char*>(base), bytes, 0, 0});
      return true;
    }
    if (bytes == least) return false;
  }
}

void CpuPool::add_free(char* pointer, Free block) {
  const auto behind = free_.find(pointer + block.size);
  if (behind != free_.end() && !is_start_of_range(behind->first)) {
    block.size += behind->second.size;
    block.resident = block.resident || behind->second.resident;
    remove_free(behind);
  }
  auto ahead = free_.lower_bound(pointer);
  if (ahead != free_.begin() && !is_start_of_range(pointer)) {
    --ahead;
    if (ahead->first + ahead->second.size == pointer) {
      pointer = ahead->first;
      block.size += ahead->second.size;
      block.resident = block.resident || ahead->second.resident;
      remove_free(ahead);
    }
  }
  free_.emplace(pointer, block);
  free_by_size_.emplace(block.size, pointer);
  if (block.resident) stats_.cached += block.size;
}

void CpuPool::remove_free(FreeBlocks::iterator block) {
  if (block->second.resident) stats_.cached -= block->second.size;
  free_by_size_.erase({block->second.size, block->first});
  free_.erase(block);
}

// Ranges may happen to lie side by side.
bool CpuPool::is_start_of_range(const char* pointer) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.base == pointer; });
}

void CpuPool::drop() {
  const std::lock_guard lock(mutex_);
  drop_locked();
}

void CpuPool::drop_locked() {
  for (auto& [pointer, block] : free_) {
    if (!block.resident) continue;
    const size_t page = page_size();
    const auto begin = rounded_up(reinterpret_cast<uintptr_t>(pointer), page);
    const auto end = (reinterpret_cast<uintptr_t>(pointer) + block.size) / page * page;
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    block.resident = false;
    stats_.cached -= block.size;
  }
}

MemoryStats CpuPool::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void CpuPool::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

}  // namespace gestalt
