#pragma once

// Which bytes a view reaches, for tests that watch over what kernels access.

#include <cstdint>

#include "kernels/error.h"
#include "kernels/types.h"

namespace gestalt::tests {

// The lowest and one past the highest byte, relative to the first element.
struct ViewExtent {
  int64_t low = 0, high = 0;
};

// Empty for a view without elements.
inline ViewExtent extent_of(const View& view) {
  ViewExtent extent;
  if (view.numel() == 0) return extent;
  for (int dim = 0; dim < view.rank(); ++dim) {
    const int64_t reach = (view.shape[dim] - 1) * view.strides[dim];
    (reach < 0 ? extent.low : extent.high) += reach;
  }
  const int64_t size = size_of(view.dtype);
  return {extent.low * size, (extent.high + 1) * size};
}

// Throws Error where a call's view has elements but no data.
inline void check_has_data(const View& view) {
  GESTALT_CHECK(view.numel() == 0 || view.data != nullptr,
                "a view without data: what is optional is passed as a pointer");
}

}  // namespace gestalt::tests
