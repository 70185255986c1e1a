#pragma once

// For tests that need a CUDA device: they skip where there is none, visibly, and fail where
// GESTALT_REQUIRE_CUDA=1 says that there has to be one.

#include <gtest/gtest.h>

#include "tensor/context.h"
#include "tests/cuda_required.h"

// Leaves the test function where `device` can't be used.
#define GESTALT_NEEDS_DEVICE(device)                                \
  do {                                                              \
    if (::gestalt::is_available(device)) break;                     \
    if (::gestalt::tests::cuda_is_required())                       \
      GTEST_FAIL() << "no CUDA device, and GESTALT_REQUIRE_CUDA=1"; \
    GTEST_SKIP() << "no CUDA device on this machine";               \
  } while (false)
