// Any bytes are an array that lies inside its storage, an archive of such, or a gestalt::Error.

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
    if (gestalt::is_npy(bytes)) {
      gestalt::tests::touch_last(gestalt::read_npy(bytes));
    } else {
      for (const gestalt::NamedTensor& entry : gestalt::read_npz(bytes)) {
        gestalt::tests::touch_last(entry.tensor);
      }
    }
  } catch (const gestalt::Error&) {
  }
  return 0;
}
