#include "data/transfer.h"

#include "kernels/error.h"
#include "kernels/runtime.h"

namespace gestalt::data {
namespace {

Tensor wrap(Device device, void* pointer, size_t bytes, std::shared_ptr<const void> owner,
            const Shape& shape, DType dtype) {
  return Tensor::from_storage(std::make_shared<Storage>(device, pointer, bytes, std::move(owner)),
                              0, shape, strides_of(shape, Format::contiguous), dtype);
}

}  // namespace

Transfer::Transfer(Device device) : device_(device) {
  if (device.is_cpu()) return;
  memory_ = &HostMemory::of(device);
  context_ = gestalt::context(device).runtime().make_context(device.index);
}

Tensor Transfer::host_tensor(const Shape& shape, DType dtype) {
  if (device_.is_cpu()) return Tensor::empty(shape, {.dtype = dtype, .device = device_});
  const size_t bytes = static_cast<size_t>(shape.numel() * size_of(dtype));
  void* pointer = memory_->take(bytes);
  const std::shared_ptr<const void> owner(
      pointer, [memory = memory_, bytes](void* block) { memory->give(block, bytes); });
  return wrap(Device{}, pointer, bytes, owner, shape, dtype);
}

Tensor Transfer::to_device(const Tensor& host) {
  if (device_.is_cpu()) return host;
  const size_t bytes = static_cast<size_t>(host.numel() * size_of(host.dtype()));
  const Runtime& runtime = context_->runtime();
  const std::lock_guard lock(mutex_);
  void* pointer = runtime.allocate(*context_, bytes);
  GESTALT_CHECK(pointer != nullptr, "out of memory on {}: asked {} bytes for a batch", device_,
                bytes);
  // Freed in the order of the stream that used it.
  const std::shared_ptr<const void> owner(pointer, [device = device_, &runtime](void* block) {
    runtime.release(gestalt::context(device), block);
  });
  runtime.copy(*context_, pointer, host.view().data, bytes, CopyKind::host_to_device);
  return wrap(device_, pointer, bytes, owner, host.shape(), host.dtype());
}

}  // namespace gestalt::data
