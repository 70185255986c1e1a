#pragma once

// Whether a tensor of a reader lies inside its storage.

#include <cstdlib>

#include "tensor/tensor.h"

namespace gestalt::tests {

// The element farthest into the storage: the sanitizer sees whether it is there.
inline void touch_last(const Tensor& tensor) {
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

}  // namespace gestalt::tests
