#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace gestalt::data {

inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(GESTALT_SOURCE_DIR) / "tests/fixtures/images" / name;
}

inline std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace gestalt::data
