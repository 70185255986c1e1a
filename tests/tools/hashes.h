#pragma once

// For tests of what the hashes of files tell: a build without OpenSSL has none, and they skip,
// visibly.

#include <gtest/gtest.h>

#include "tools/common/file_hash.h"

// Leaves the test function.
#define GESTALT_NEEDS_HASHES()                                \
  do {                                                        \
    if (!::gestalt::tools::sha256_of_text("").empty()) break; \
    GTEST_SKIP() << "built without OpenSSL";                  \
  } while (false)
