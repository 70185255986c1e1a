#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/source_folder.h"

namespace gestalt::data {

inline std::filesystem::path fixture(const std::string& name) {
  return tests::source_folder() / "tests/fixtures/images" / name;
}

inline std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace gestalt::data
