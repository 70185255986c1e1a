#pragma once

// The memory of the emulated device: a range of addresses that the host can't touch.
//
// It is mapped twice. The device's addresses fault at every access but while queued work runs
// (Open); the runtime's own copies go through the second mapping. Each allocation ends at a page
// that nobody can access, holds NaNs until something is written, and keeps its addresses to itself
// after it is freed, until the range has been gone through once: what uses it then is found, too.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace gestalt::simt {

class DeviceMemory {
 public:
  static DeviceMemory& instance();

  static constexpr size_t capacity = size_t{8} << 30;
  static constexpr size_t alignment = 256;  // cudaMalloc's

  void* allocate(size_t bytes);  // null where less is free
  // Before free(), which comes in the stream's order: a second release of the same memory, and one
  // of what was never allocated, end the process.
  void begin_release(void* pointer);
  void free(void* pointer);
  size_t in_use() const { return in_use_; }  // also of what waits for its free()
  size_t releasing() const { return releasing_; }

  bool contains(uintptr_t address) const { return address - base_ < range; }
  // Where the runtime may copy from and to; throws where not all of it is allocated.
  char* copied(const void* pointer, size_t bytes);
  // Empty, or what is wrong with a kernel's access.
  std::string fault_of(uintptr_t address, size_t bytes);

  // While one lives, the device's addresses can be accessed, by every thread.
  class Open {
   public:
    Open();
    ~Open();
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
  };

  static constexpr size_t range = size_t{32} << 30;  // addresses, not memory

 private:
  DeviceMemory();

  struct Block {
    uintptr_t pages, pages_end;  // that it has; one more after them is nobody's
    uintptr_t begin, end;        // what was asked for
    bool is_releasing = false, is_free = false;
  };
  using Blocks = std::map<uintptr_t, Block>;  // by the end of the page after it

  Blocks::iterator block_of(uintptr_t address);  // or end()
  Block* living(const void* pointer);
  std::string describe(uintptr_t address);
  void protect(const Block& block, int protection) const;
  static void explain_crash(int signal, void* information);

  std::mutex mutex_;
  uintptr_t base_ = 0, copied_base_ = 0, next_ = 0;
  int file_ = -1;
  size_t page_ = 0;
  size_t in_use_ = 0, releasing_ = 0;
  int open_ = 0;
  Blocks blocks_;
  std::atomic<uint64_t> frees_ = 1;
};

}  // namespace gestalt::simt
