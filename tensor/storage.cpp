#include "tensor/storage.h"

#include "tensor/allocator.h"

namespace gestalt {

Storage::Storage(Device device, size_t bytes)
    : device_(device), data_(allocate(device, bytes)), bytes_(bytes) {}

Storage::Storage(Device device, void* data, size_t bytes, std::shared_ptr<const void> owner)
    : device_(device), data_(data), bytes_(bytes), owner_(std::move(owner)) {}

Storage::~Storage() {
  if (!owner_) release(device_, data_, bytes_);
}

}  // namespace gestalt
