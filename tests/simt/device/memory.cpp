#include "tests/simt/device/memory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/error.h"
#include "kernels/rounding.h"

namespace gestalt::simt {
namespace {

// A NaN in every floating dtype, and an integer that indexes nothing.
constexpr uint64_t poison = 0xfffefffdfffefffd;

struct sigaction action_before[2];
constexpr int signals[2] = {SIGSEGV, SIGBUS};

uintptr_t map(int file, int protection) {
  void* memory =
      mmap(nullptr, DeviceMemory::range, protection, MAP_SHARED | MAP_NORESERVE, file, 0);
  GESTALT_CHECK(memory != MAP_FAILED,
                "no addresses for the emulated device, which takes {} GiB of them twice: {} "
                "(`ulimit -v` limits them)",
                DeviceMemory::range >> 30, std::strerror(errno));
  return reinterpret_cast<uintptr_t>(memory);
}

// Its callers can't throw: they end work, or free memory.
void set_protection(uintptr_t begin, size_t bytes, int protection) {
  if (mprotect(reinterpret_cast<void*>(begin), bytes, protection) == 0) return;
  std::fprintf(stderr,
               "emulated device: can't protect its memory: %s (each allocation takes two of "
               "vm.max_map_count)\n",
               std::strerror(errno));
  std::abort();
}

}  // namespace

DeviceMemory& DeviceMemory::instance() {
  static auto* memory = new DeviceMemory;  // outlives tensors in static storage
  return *memory;
}

DeviceMemory::DeviceMemory() : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
  file_ = memfd_create("emulated_device", MFD_CLOEXEC);
  GESTALT_CHECK(file_ >= 0 && ftruncate(file_, range) == 0,
                "no memory for the memory of the emulated device");
  base_ = map(file_, PROT_NONE);
  copied_base_ = map(file_, PROT_READ | PROT_WRITE);
  next_ = base_;
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int signal, siginfo_t* information, void*) {
    explain_crash(signal, information->si_addr);
  };
  for (int i = 0; i < 2; ++i) sigaction(signals[i], &action, &action_before[i]);
}

// Says what was accessed, and leaves the crash to who would have had it: with the stack of the
// access.
void DeviceMemory::explain_crash(int signal, void* pointer) {
  DeviceMemory& memory = instance();
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (memory.contains(address)) {
    // Another thread may be at the blocks, or this one: then nobody knows which it is.
    const std::unique_lock lock(memory.mutex_, std::try_to_lock);
    const std::string text = format("emulated device: {} accesses {}\n",
                                    memory.open_ > 0 ? "work of the device" : "the host",
                                    lock ? memory.describe(address) : "device memory");
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
  }
  for (int i = 0; i < 2; ++i) {
    if (signals[i] == signal) sigaction(signal, &action_before[i], nullptr);
  }
}

void DeviceMemory::protect(const Block& block, int protection) const {
  set_protection(block.pages, block.pages_end - block.pages, protection);
}

void* DeviceMemory::allocate(size_t bytes) {
  bytes = std::max<size_t>(bytes, 1);
  const size_t pages = round_up(round_up(bytes, alignment), page_);
  const std::lock_guard lock(mutex_);
  if (bytes > capacity || in_use_ + pages > capacity) return nullptr;
  // The next addresses that no living block has.
  for (bool wrapped = false;;) {
    if (next_ + pages + page_ > base_ + range) {
      GESTALT_CHECK(!wrapped, "the emulated device's memory is in pieces too small for {} bytes",
                    bytes);
      next_ = base_;
      wrapped = true;
    }
    const auto behind = blocks_.upper_bound(next_);
    if (behind == blocks_.end() || behind->second.pages >= next_ + pages + page_) break;
    if (!behind->second.is_free) {
      next_ = behind->first;
    } else {
      blocks_.erase(behind);
    }
  }
  Block block{.pages = next_, .pages_end = next_ + pages, .begin = 0, .end = 0};
  block.begin = block.pages_end - round_up(bytes, alignment);
  block.end = block.begin + bytes;
  next_ = block.pages_end + page_;
  blocks_.emplace(next_, block);
  in_use_ += pages;
  auto* words = reinterpret_cast<uint64_t*>(block.pages - base_ + copied_base_);
  std::fill_n(words, pages / sizeof(poison), poison);
  if (open_ > 0) protect(block, PROT_READ | PROT_WRITE);
  return reinterpret_cast<void*>(block.begin);
}

DeviceMemory::Blocks::iterator DeviceMemory::block_of(uintptr_t address) {
  const auto found = blocks_.upper_bound(address);
  return found == blocks_.end() || address < found->second.pages ? blocks_.end() : found;
}

DeviceMemory::Block* DeviceMemory::living(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const auto found = block_of(address);
  const bool lives =
      found != blocks_.end() && found->second.begin == address && !found->second.is_free;
  return lives ? &found->second : nullptr;
}

void DeviceMemory::begin_release(void* pointer) {
  const std::lock_guard lock(mutex_);
  Block* block = living(pointer);
  if (block != nullptr && !block->is_releasing) {
    block->is_releasing = true;
    releasing_ += block->pages_end - block->pages;
    return;
  }
  const std::string text = describe(reinterpret_cast<uintptr_t>(pointer));
  std::fprintf(stderr, "emulated device: released is %s\n", text.c_str());
  std::abort();
}

void DeviceMemory::free(void* pointer) {
  const std::lock_guard lock(mutex_);
  Block& block = *living(pointer);
  block.is_free = true;
  ++frees_;
  const size_t bytes = block.pages_end - block.pages;
  releasing_ -= bytes;
  protect(block, PROT_NONE);
  // Gives the memory itself back; where that can't be done it counts on.
  const int status = fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               static_cast<off_t>(block.pages - base_), static_cast<off_t>(bytes));
  if (status == 0) in_use_ -= bytes;
}

std::string DeviceMemory::describe(uintptr_t address) {
  if (!contains(address)) return format("host memory, at {}", address);
  const auto found = block_of(address);
  if (found == blocks_.end()) return "device memory that was never allocated";
  const Block& block = found->second;
  const std::string size = format("an allocation of {} bytes", block.end - block.begin);
  const std::string where =
      address < block.begin  ? format("{} bytes before ", block.begin - address)
      : address >= block.end ? format("{} bytes past the end of ", address - block.end)
                             : format("device memory, byte {} of ", address - block.begin);
  return where + size + (block.is_free ? ", which was freed" : "");
}

char* DeviceMemory::copied(const void* pointer, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const std::string fault = fault_of(address, bytes);
  GESTALT_CHECK(fault.empty(), "[copy] of {} bytes: {}", bytes, fault);
  return reinterpret_cast<char*>(address - base_ + copied_base_);
}

std::string DeviceMemory::fault_of(uintptr_t address, size_t bytes) {
  // The blocks of this thread's last accesses, which most accesses are to as well.
  struct Known {
    uint64_t frees = 0;
    uintptr_t begin = 0, end = 0;
  };
  thread_local std::array<Known, 4> known;
  thread_local size_t oldest = 0;
  for (const Known& block : known) {
    if (block.frees == frees_ && address >= block.begin && address + bytes <= block.end) return {};
  }
  const std::lock_guard lock(mutex_);
  const auto found = block_of(address);
  if (found == blocks_.end() || found->second.is_free || address < found->second.begin) {
    return describe(address);
  }
  if (address + bytes > found->second.end) return describe(address + bytes - 1);
  known[oldest++ % known.size()] = {frees_, found->second.begin, found->second.end};
  return {};
}

DeviceMemory::Open::Open() {
  DeviceMemory& memory = instance();
  const std::lock_guard lock(memory.mutex_);
  if (memory.open_++ > 0) return;
  for (const auto& [end, block] : memory.blocks_) {
    if (!block.is_free) memory.protect(block, PROT_READ | PROT_WRITE);
  }
}

DeviceMemory::Open::~Open() {
  DeviceMemory& memory = instance();
  const std::lock_guard lock(memory.mutex_);
  if (--memory.open_ > 0) return;
  set_protection(memory.base_, range, PROT_NONE);
}

}  // namespace gestalt::simt
