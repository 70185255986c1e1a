#include "tensor/cpu_pool.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/error.h"
#include "kernels/rounding.h"
#include "kernels/runtime.h"
#include "tensor/context.h"

// gcc says it with a macro, clang with a feature.
#if defined(__SANITIZE_ADDRESS__)
#define GESTALT_UNDER_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GESTALT_UNDER_ADDRESS_SANITIZER
#endif
#endif

namespace gestalt {

#if defined(GESTALT_UNDER_ADDRESS_SANITIZER)
const bool CpuPool::pooling = false;
#else
const bool CpuPool::pooling = true;
#endif

namespace {

constexpr size_t alignment = 64;
constexpr size_t growth = size_t{32} << 20;  // of a range's writable part

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

size_t physical_memory() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * page_size();
}

// `ulimit -v`, which counts reserved addresses too; RLIM_INFINITY without one.
rlim_t address_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_AS, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// Asks for pages of 2 MB, where the system has them, since kernels that stream through tensors
// larger than the caches wait less for addresses to be found.
void use_huge_pages([[maybe_unused]] void* base, [[maybe_unused]] size_t bytes) {
#if defined(MADV_HUGEPAGE)
  madvise(base, bytes, MADV_HUGEPAGE);  // a kernel without them refuses, and nothing is lost
#endif
}

std::string out_of_memory(size_t bytes, size_t in_use) {
  const rlim_t limit = address_limit();
  Context& ctx = context(Device{});
  const MemoryInfo memory = ctx.runtime().memory(ctx);
  return format(
      "out of memory on the CPU: asked {} bytes, {} in use, {} of {} free{}", bytes, in_use,
      memory.free, memory.total,
      limit == RLIM_INFINITY ? "" : format(", addresses limited to {} (ulimit -v)", limit));
}

}  // namespace

void* CpuPool::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  // No request of this size can be met; beyond it, sums would overflow.
  const bool sane = bytes <= SIZE_MAX / 4;
  const size_t size = sane ? round_up(bytes, alignment) : 0;
  char* pointer = sane ? take_locked(size) : nullptr;
  if (pointer == nullptr && sane) {
    drop_locked();
    pointer = take_locked(size);
  }
  if (pointer == nullptr) throw Error(out_of_memory(bytes, stats_.in_use));
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
  add_free(static_cast<char*>(pointer), {size, size});
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
    if (const size_t rest = whole.size - size) {
      add_free(pointer + size, {rest, std::min(rest, whole.resident)});
    }
    return pointer;
  }
  for (auto range = ranges_.rbegin(); range != ranges_.rend(); ++range) {
    if (char* pointer = extend(*range, size)) return pointer;
  }
  if (!reserve(size)) return nullptr;
  char* const pointer = extend(ranges_.back(), size);
  if (pointer == nullptr) {  // the system lends addresses beyond its memory, but no memory
    munmap(ranges_.back().base, ranges_.back().reserved);
    ranges_.pop_back();
  }
  return pointer;
}

// A block at the range's end, with the free one that may be there; null where there is no room.
char* CpuPool::extend(Range& range, size_t size) {
  if (range.used == range.reserved) return nullptr;
  char* const end = range.base + range.used;
  char* pointer = end;
  auto last = free_.lower_bound(end);
  if (last != free_.begin()) {
    --last;
    if (last->first + last->second.size == end) pointer = last->first;
  }
  // No free block is large enough, so the new one reaches beyond `end`, even where it begins in the
  // range before.
  const auto used = static_cast<size_t>(pointer + size - range.base);
  if (used > range.reserved) return nullptr;
  if (used > range.writable) {
    const size_t writable = std::min(round_up(used, growth), range.reserved);
    if (mprotect(range.base, writable, PROT_READ | PROT_WRITE) != 0) return nullptr;
    range.writable = writable;
  }
  if (pointer != end) remove_free(last);
  range.used = used;
  return pointer;
}

// A range of as many addresses as there is memory, or as many as are to be had; where addresses
// are limited, no more than needed, for the process's threads and libraries live on the rest.
bool CpuPool::reserve(size_t size) {
  const size_t least = round_up(size, page_size());
  const bool limited = address_limit() != RLIM_INFINITY;
  const size_t most = limited ? round_up(size, growth) : std::max(physical_memory(), least);
  for (size_t bytes = most;; bytes = std::max(bytes / 2, least)) {
    void* const base = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base != MAP_FAILED) {
      use_huge_pages(base, bytes);
      ranges_.push_back({static_cast<char*>(base), bytes, 0, 0});
      return true;
    }
    if (bytes == least) return false;
  }
}

// Ranges that lie side by side serve as one.
void CpuPool::add_free(char* pointer, Free block) {
  const auto behind = free_.find(pointer + block.size);
  if (behind != free_.end()) {
    block.size += behind->second.size;
    block.resident += behind->second.resident;
    remove_free(behind);
  }
  auto ahead = free_.lower_bound(pointer);
  if (ahead != free_.begin()) {
    --ahead;
    if (ahead->first + ahead->second.size == pointer) {
      pointer = ahead->first;
      block.size += ahead->second.size;
      block.resident += ahead->second.resident;
      remove_free(ahead);
    }
  }
  free_.emplace(pointer, block);
  free_by_size_.emplace(block.size, pointer);
  stats_.cached += block.resident;
}

void CpuPool::remove_free(FreeBlocks::iterator block) {
  stats_.cached -= block->second.resident;
  free_by_size_.erase({block->second.size, block->first});
  free_.erase(block);
}

void CpuPool::drop() {
  const std::lock_guard lock(mutex_);
  drop_locked();
}

void CpuPool::drop_locked() {
  std::erase_if(ranges_, [&](const Range& range) { return unmap_if_free(range); });
  for (auto& [pointer, block] : free_) {
    if (block.resident == 0) continue;
    const size_t page = page_size();
    const auto begin = round_up(reinterpret_cast<uintptr_t>(pointer), page);
    const auto end = (reinterpret_cast<uintptr_t>(pointer) + block.size) / page * page;
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    stats_.cached -= block.resident;
    block.resident = 0;
  }
}

// Where addresses are limited they may be what another request needs.
bool CpuPool::unmap_if_free(const Range& range) {
  char* const end = range.base + range.used;
  auto block = free_.upper_bound(range.base);
  if (block == free_.begin()) return false;
  --block;
  char* const begin = block->first;
  const Free whole = block->second;
  if (begin + whole.size < end) return false;
  remove_free(block);
  const auto keep = [&](char* from, char* to) {
    const auto size = static_cast<size_t>(to - from);
    if (size > 0) add_free(from, {size, std::min(size, whole.resident)});
  };
  if (begin < range.base) keep(begin, range.base);
  if (begin + whole.size > end) keep(end, begin + whole.size);
  munmap(range.base, range.reserved);
  return true;
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
