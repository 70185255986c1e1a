// Any bytes are a checkpoint whose tensors lie inside their storages, or a gestalt::Error.

#include <cstdlib>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"

namespace {

// The element farthest into the storage: the sanitizer sees whether it is there.
void touch_last(const gestalt::Tensor& tensor) {
  if (tensor.numel() == 0) return;
  int64_t last = 0;
  for (int i = 0; i < tensor.rank(); ++i) last += (tensor.size(i) - 1) * tensor.strides()[i];
  const auto size = static_cast<size_t>(size_of(tensor.dtype()));
  const auto* memory = static_cast<const unsigned char*>(tensor.view().data);
  const size_t end = (tensor.storage_offset() + last + 1) * size;
  if (end > tensor.storage()->bytes()) std::abort();
  volatile unsigned char byte = memory[last * size + size - 1];
  (void)byte;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of the exact size, so that reading past the end is seen.
  std::byte* memory;
  const gestalt::Bytes bytes = gestalt::allocate_bytes(size, memory);
  std::copy(data, data + size, reinterpret_cast<uint8_t*>(memory));
  try {
    const gestalt::Checkpoint checkpoint = gestalt::read_checkpoint(bytes, "input");
    for (const gestalt::NamedTensor& entry : checkpoint.tensors) touch_last(entry.tensor);
    find_state_dict(checkpoint);
  } catch (const gestalt::Error&) {
  }
  return 0;
}
