#include "tensor/storage.h"

#include "tensor/allocator.h"
#include "tensor/step_memory.h"

namespace gestalt {

Storage::Storage(Device device, size_t bytes) : device_(device), bytes_(bytes) {
  if (StepMemory* memory = StepMemory::current(device)) {
    owner_ = memory->take(bytes);
    data_ = const_cast<void*>(owner_.get());
  } else {
    data_ = allocate(device, bytes);
  }
}

Storage::Storage(Device device, void* data, size_t bytes, std::shared_ptr<const void> owner)
    : device_(device), data_(data), bytes_(bytes), owner_(std::move(owner)) {}

Storage::~Storage() {
  if (owner_) return;
  StepMemory* memory = StepMemory::current(device_);
  if (memory == nullptr || !memory->keep_while_capturing(data_, bytes_)) {
    release(device_, data_, bytes_);
  }
}

}  // namespace gestalt
