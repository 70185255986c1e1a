#pragma once

// Files for the tests of eval/.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

#include "kernels/error.h"
#include "tests/source_folder.h"
#include "tests/temporary_folder.h"

namespace gestalt::tests {

inline std::filesystem::path fixture_decisions() {
  return source_folder() / "tests/fixtures/decisions";
}

inline std::filesystem::path shared_data() {
  return source_folder() / "../shared/data";
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// What the Error says that `call` throws; empty, and a failure, where it throws none.
template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return "";
}

}  // namespace gestalt::tests
