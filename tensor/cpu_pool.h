#pragma once

// (internal to tensor/) Host memory for tensors: 64-byte aligned blocks, cut out of long ranges of
// addresses and put together again with their free neighbours. So the memory of one phase of a
// training step serves the next, whatever its sizes, and a process holds little more than it ever
// used at once; fresh pages, which cost more than most kernels that fill them, are needed in the
// first step alone.

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tensor/allocator.h"

namespace gestalt {

class CpuPool {
 public:
  // False under AddressSanitizer, from which a pool would hide overflows and use after free.
  static const bool pooling;

  // Throws Error where the system has no more, with the bytes asked, in use and free.
  void* take(size_t bytes);
  void give(void* pointer);
  // Gives the pages of free blocks back to the system, and the addresses of ranges wholly free.
  void drop();
  MemoryStats stats();
  void reset_peak();

 private:
  // Addresses that are reserved; the first `used` bytes are cut into blocks, the first `writable`
  // are backed by memory once they are touched.
  struct Range {
    char* base = nullptr;
    size_t reserved = 0, writable = 0, used = 0;
  };
  struct Free {
    size_t size = 0;
    size_t resident = 0;  // bytes of it that have pages, at most
  };
  using FreeBlocks = std::map<char*, Free>;

  char* take_locked(size_t size);
  char* extend(Range& range, size_t size);
  bool reserve(size_t size);
  void add_free(char* pointer, Free block);
  void remove_free(FreeBlocks::iterator block);
  bool unmap_if_free(const Range& range);
  void drop_locked();

  std::mutex mutex_;
  std::vector<Range> ranges_;
  FreeBlocks free_;
  std::set<std::pair<size_t, char*>> free_by_size_;
  std::unordered_map<void*, size_t> taken_;
  MemoryStats stats_;
};

}  // namespace gestalt
