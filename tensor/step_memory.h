#pragma once

// StepMemory: where the tensors of a captured step live (internal to tensor/graph.h).
//
// Blocks are handed out again by exact size, so that a step which asks for the same sizes in the
// same order finds all it needs after one run, at addresses that stay its own. A block goes back
// when the last tensor on it goes; its memory lives as long as the step and the tensors it left.

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/types.h"

namespace gestalt {

class StepMemory : public std::enable_shared_from_this<StepMemory> {
 public:
  explicit StepMemory(Device device) : device_(device) {}
  ~StepMemory();
  StepMemory(const StepMemory&) = delete;
  StepMemory& operator=(const StepMemory&) = delete;

  // A block that returns here when the pointer goes; null for 0 bytes. While the context captures,
  // throws Error where none of that size is free.
  std::shared_ptr<const void> take(size_t bytes);

  // While the context captures, keeps memory that a tensor from outside the step gives up, since
  // captured calls may use it. False elsewhere.
  bool keep_while_capturing(void* data, size_t bytes);
  // How many such blocks there are; gives back the first `count`, once no captured step uses them.
  size_t kept() const;
  void release_kept(size_t count);

  // Where this thread's new tensors on `device` live; null: in the device's own pool.
  static StepMemory* current(Device device);

  // Makes a memory current while it lives.
  class Use {
   public:
    explicit Use(StepMemory& memory);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    StepMemory* before_;
  };

 private:
  void give(void* data, size_t size);

  Device device_;
  mutable std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  std::vector<std::pair<void*, size_t>> kept_;
};

}  // namespace gestalt
