#pragma once

#include <cstdlib>

namespace gestalt::tests {

// Whether GESTALT_REQUIRE_CUDA=1 says that there has to be a device.
inline bool cuda_is_required() {
  const char* required = std::getenv("GESTALT_REQUIRE_CUDA");
  return required != nullptr && *required == '1';
}

}  // namespace gestalt::tests
