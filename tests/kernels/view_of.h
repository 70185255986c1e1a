#pragma once

// A vector as what kernels take.

#include <vector>

#include "kernels/types.h"

namespace gestalt::tests {

// Of the elements from `offset` on.
template <class T>
View view_of(std::vector<T>& data, const Shape& shape, Format format = Format::contiguous,
             int64_t offset = 0) {
  return {data.data() + offset, dtype_of<T>, {}, shape, strides_of(shape, format)};
}

}  // namespace gestalt::tests
