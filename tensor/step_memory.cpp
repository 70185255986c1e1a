#include "tensor/step_memory.h"

#include "kernels/capture.h"
#include "kernels/rounding.h"
#include "tensor/allocator.h"
#include "tensor/context.h"

namespace gestalt {
namespace {

thread_local StepMemory* current_memory = nullptr;

size_t block_size(size_t bytes) {
  return round_up(bytes, 256);
}

}  // namespace

StepMemory::~StepMemory() {
  for (const auto& [size, data] : free_) release(device_, data, size);
  for (const auto& [data, size] : kept_) release(device_, data, size);
}

std::shared_ptr<const void> StepMemory::take(size_t bytes) {
  if (bytes == 0) return {};
  const size_t size = block_size(bytes);
  void* data = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = free_.find(size); found != free_.end()) {
      data = found->second;
      free_.erase(found);
    }
  }
  if (data == nullptr) {
    check_not_capturing(context(device_),
                        "the allocation of {} bytes more than the warm-up runs left", bytes);
    data = allocate(device_, size);
  }
  return {data, [memory = shared_from_this(), size](void* block) { memory->give(block, size); }};
}

void StepMemory::give(void* data, size_t size) {
  const std::lock_guard lock(mutex_);
  free_.emplace(size, data);
}

bool StepMemory::keep_while_capturing(void* data, size_t bytes) {
  if (data == nullptr || !is_capturing(context(device_))) return false;
  const std::lock_guard lock(mutex_);
  kept_.emplace_back(data, bytes);
  return true;
}

size_t StepMemory::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

void StepMemory::release_kept(size_t count) {
  const std::lock_guard lock(mutex_);
  const auto end = kept_.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto block = kept_.begin(); block != end; ++block) {
    release(device_, block->first, block->second);
  }
  kept_.erase(kept_.begin(), end);
}

StepMemory* StepMemory::current(Device device) {
  return current_memory != nullptr && current_memory->device_ == device ? current_memory : nullptr;
}

StepMemory::Use::Use(StepMemory& memory) : before_(current_memory) {
  current_memory = &memory;
}
StepMemory::Use::~Use() {
  current_memory = before_;
}

}  // namespace gestalt
