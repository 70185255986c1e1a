// Any bytes are an array that lies inside its storage, or a gestalt::Error.

#include <algorithm>

#include "kernels/error.h"
#include "tensor/io/npy.h"
#include "tests/fuzz/touch_last.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of the exact size, so that reading past the end is seen.
  std::byte* memory;
  const gestalt::Bytes bytes = gestalt::allocate_bytes(size, memory);
  std::copy(data, data + size, reinterpret_cast<uint8_t*>(memory));
  try {
    gestalt::tests::touch_last(gestalt::read_npy(bytes));
  } catch (const gestalt::Error&) {
  }
  return 0;
}
