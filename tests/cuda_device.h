#pragma once

// For tests that need a CUDA device: they skip where there is none, visibly, and fail where
// GESTALT_REQUIRE_CUDA=1 says that there has to be one.

#include <cstdlib>
#include <gtest/gtest.h>

#include "tensor/context.h"

namespace gestalt::tests {

inline bool cuda_is_required() {
  const char* required = std::getenv("GESTALT_REQUIRE_CUDA");
  return required != nullptr && *required == '1';
}

}  // namespace gestalt::tests

// Leaves the test function where `device` can't be used.
#define GESTALT_NEEDS_DEVICE(device)                                \
  do {                                                              \
    if (::gestalt::is_available(device)) break;                     \
    if (::gestalt::tests::cuda_is_required())                       \
      GTEST_FAIL() << "no CUDA device, and GESTALT_REQUIRE_CUDA=1"; \
    GTEST_SKIP() << "no CUDA device on this machine";               \
  } while (false)
