#pragma once

// A tensor's values to read, for logs and debuggers.

#include <string>

#include "tensor/tensor.h"

namespace gestalt {

struct TextOptions {
  // With more, the middle of long dimensions is left out.
  int64_t most_elements = 1000;
  int64_t at_each_end = 3;  // shown of a long dimension
};

// What it is, then its values with six digits, a line a row:
//   f32[2,3]
//   [[0, 0.5, 1],
//    [-1, nan, 2e+10]]
// Waits for the device; "undefined" for one that is.
std::string to_text(const Tensor& tensor, const TextOptions& options = {});

}  // namespace gestalt
