#pragma once

// What every reader of files asks first (internal to tensor/ and data/).

#include <string_view>

#include "kernels/error.h"

namespace gestalt {

// Throws Error with the reason where there is no file to speak of: empty, a Git LFS pointer.
inline void check_has_content(std::string_view file) {
  GESTALT_CHECK(!file.empty(), "the file is empty");
  GESTALT_CHECK(!file.starts_with("version https://git-lfs.github.com/spec/"),
                "it is a Git LFS pointer, not the file itself: run git lfs pull");
}

}  // namespace gestalt
