#pragma once

// Files for the tests of eval/.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/temporary_folder.h"

namespace gestalt::tests {

inline std::filesystem::path fixture_decisions() {
  return source_folder() / "tests/fixtures/decisions";
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// error_of(call), and a failure where it throws none.
template <class Call>
std::string thrown_by(const Call& call) {
  const std::string message = error_of(call);
  if (message.empty()) ADD_FAILURE() << "no Error was thrown";
  return message;
}

}  // namespace gestalt::tests
