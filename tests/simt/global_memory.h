#pragma once

// The global memory that kernels access, watched: bounds and reads of bytes never written, in
// buffers that were declared; races, everywhere.
//
// Three kinds of declarations, all of this thread's kernels alone:
//  - WatchedBuffer: memory between guard bytes (guarded_buffer.h), which nobody may access.
//  - AllowedMemory: all memory that kernels may access from here on. The rest is out of bounds.
//  - RuledMemory: a function that knows, of a device with memory of its own (device/memory.h).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/simt/happens_before.h"

namespace gestalt::simt {

class WatchedBuffer {
 public:
  // [begin, end) lies between guards of `guard` bytes. Not initialized: reading what no kernel
  // wrote is a fault.
  WatchedBuffer(const void* begin, const void* end, size_t guard, bool initialized);
  ~WatchedBuffer();
  WatchedBuffer(const WatchedBuffer&) = delete;
  WatchedBuffer& operator=(const WatchedBuffer&) = delete;

 private:
  uintptr_t key_;
};

class AllowedMemory {
 public:
  AllowedMemory();
  ~AllowedMemory();
  AllowedMemory(const AllowedMemory&) = delete;
  AllowedMemory& operator=(const AllowedMemory&) = delete;

  // Adds a region; one that was added before stays as it is.
  void add(const void* begin, size_t bytes, bool initialized);
  // The one that lives, or null.
  static AllowedMemory* current();

 private:
  AllowedMemory* outer_;
};

// While it lives, kernels of this thread may access only what the rule, which says what is wrong
// with an access or nothing, lets them.
class RuledMemory {
 public:
  using Rule = std::string (*)(uintptr_t address, size_t bytes);
  explicit RuledMemory(Rule rule);
  ~RuledMemory();
  RuledMemory(const RuledMemory&) = delete;
  RuledMemory& operator=(const RuledMemory&) = delete;
};

class GlobalMemoryWatch {
 public:
  void begin_launch();

  // Empty, or what is wrong with the access.
  std::string check_declared(uintptr_t address, size_t bytes, Access access);
  // The record that the access races with, or null.
  const AccessRecord* add(uintptr_t address, size_t bytes, Access access, const ThreadClock& now);

 private:
  static constexpr size_t page_words = 64;
  struct Page {
    uint64_t launch = 0;
    WordHistory words[page_words];
  };

  Page& page_of(uintptr_t number);

  uint64_t launch_ = 0;
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages_;
  uintptr_t last_number_ = 0;
  Page* last_ = nullptr;
};

}  // namespace gestalt::simt
