// Any bytes are a checkpoint whose tensors lie inside their storages, or a gestalt::Error.

#include <algorithm>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tests/fuzz/touch_last.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of the exact size, so that reading past the end is seen.
  std::byte* memory;
  const gestalt::Bytes bytes = gestalt::allocate_bytes(size, memory);
  std::copy(data, data + size, reinterpret_cast<uint8_t*>(memory));
  try {
    const gestalt::Checkpoint checkpoint = gestalt::read_checkpoint(bytes, "input");
    for (const gestalt::NamedTensor& entry : checkpoint.tensors) {
      gestalt::tests::touch_last(entry.tensor);
    }
    find_state_dict(checkpoint);
  } catch (const gestalt::Error&) {
  }
  return 0;
}
