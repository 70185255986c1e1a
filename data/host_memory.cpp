#include "data/host_memory.h"

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"

namespace gestalt::data {

HostMemory& HostMemory::of(Device device) {
  static std::mutex mutex;
  static auto* memories = new std::map<int, std::unique_ptr<HostMemory>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<HostMemory>& slot = (*memories)[device.index];
  if (!slot) slot = std::make_unique<HostMemory>(device);
  return *slot;
}

HostMemory::HostMemory(Device device)
    : context_(gestalt::context(device).runtime().make_context(device.index)) {}

void* HostMemory::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (const auto found = kept_.find(bytes); found != kept_.end()) {
    void* const pointer = found->second;
    kept_.erase(found);
    return pointer;
  }
  const Runtime& runtime = context_->runtime();
  void* pointer = runtime.allocate_host(*context_, bytes);
  if (pointer == nullptr) {
    trim();
    pointer = runtime.allocate_host(*context_, bytes);
  }
  GESTALT_CHECK(pointer != nullptr, "out of page-locked memory: asked {} bytes", bytes);
  return pointer;
}

void HostMemory::give(void* pointer, size_t bytes) {
  const std::lock_guard lock(mutex_);
  kept_.emplace(bytes, pointer);
}

void HostMemory::trim() {
  for (const auto& [bytes, pointer] : kept_) {
    context_->runtime().release_host(*context_, pointer);
  }
  kept_.clear();
}

}  // namespace gestalt::data
