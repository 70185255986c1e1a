#pragma once

// Batches on their way to a device (internal to data/): made in page-locked memory, copied on a
// stream of their own, so that the default stream goes on computing. On the CPU there is nothing to
// do: batches are made where they stay.

#include <memory>
#include <mutex>

#include "data/host_memory.h"
#include "kernels/context.h"
#include "tensor/tensor.h"

namespace gestalt::data {

// May be used by several threads at once.
class Transfer {
 public:
  explicit Transfer(Device device);

  // Uninitialized, on the host; its memory is used again by later calls once the tensor is gone.
  Tensor host_tensor(const Shape& shape, DType dtype);
  // On the device; the copy is done on return.
  Tensor to_device(const Tensor& host);

 private:
  Device device_;
  HostMemory* memory_ = nullptr;      // null on the CPU
  std::unique_ptr<Context> context_;  // likewise
  std::mutex mutex_;
};

}  // namespace gestalt::data
