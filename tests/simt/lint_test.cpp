// What device code and launchers may not contain, read from the sources.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path cuda_folder = fs::path(GESTALT_SOURCE_DIR) / "kernels/cuda";

std::vector<fs::path> sources(const fs::path& folder, const std::vector<std::string>& extensions,
                              bool recursive) {
  std::vector<fs::path> found;
  const auto take = [&](const fs::path& path) {
    if (std::find(extensions.begin(), extensions.end(), path.extension()) != extensions.end()) {
      found.push_back(path);
    }
  };
  if (recursive) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) take(entry.path());
  } else {
    for (const auto& entry : fs::directory_iterator(folder)) take(entry.path());
  }
  return found;
}

// The lines without their // comments.
std::vector<std::string> code_lines(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    lines.push_back(line.substr(0, line.find("//")));
  return lines;
}

std::vector<std::string> matches(const std::vector<fs::path>& paths, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (const fs::path& path : paths) {
    int number = 0;
    for (const std::string& line : code_lines(path)) {
      ++number;
      if (std::regex_search(line, regex)) {
        found.push_back(path.filename().string() + ':' + std::to_string(number) + ": " + line);
      }
    }
  }
  return found;
}

const std::vector<std::string> none;

std::vector<fs::path> device_code() {
  std::vector<fs::path> paths = sources(cuda_folder / "device", {".cuh"}, true);
  std::erase_if(paths, [](const fs::path& path) { return path.filename() == "shared.cuh"; });
  return paths;
}

std::vector<fs::path> launchers() {
  return sources(cuda_folder, {".cu", ".cuh"}, false);
}

TEST(Lint, FindsWhatItLooksFor) {
  EXPECT_GT(launchers().size(), 1u);
  EXPECT_GT(device_code().size(), 1u);
  EXPECT_FALSE(matches({cuda_folder / "device/shared.cuh"}, R"(__shared__)").empty());
}

TEST(Lint, KernelsAreLaunchedByLaunch) {
  EXPECT_EQ(matches(sources(cuda_folder, {".cu", ".cuh", ".cpp", ".h"}, true), "<<<"), none);
}

TEST(Lint, SharedMemoryIsCarved) {
  std::vector<fs::path> paths = device_code();
  for (const fs::path& path : launchers()) paths.push_back(path);
  EXPECT_EQ(matches(paths, R"(\b__shared__\b)"), none);
}

TEST(Lint, DeviceCodeIncludesOnlyDeviceCode) {
  EXPECT_EQ(
      matches(
          device_code(),
          R"(#\s*include\s+(?!"kernels/(cuda/(device/|namespace\.h)|[a-z_]+\.h)|<c(float|math|stdint|stddef)>|<type_traits>|<utility>|<limits>))"),
      none);
}

TEST(Lint, LaunchersIncludeNoLibrary) {
  EXPECT_EQ(matches(launchers(),
                    R"(#\s*include\s+("(?!kernels/)|"kernels/cpu/|<(cu|cub|thrust|nv)[a-z_/]))"),
            none);
}

TEST(Lint, NamespaceIsTheMacro) {
  std::vector<fs::path> paths = sources(cuda_folder / "device", {".cuh"}, true);
  for (const fs::path& path : launchers()) paths.push_back(path);
  EXPECT_EQ(matches(paths, R"(namespace\s+gestalt)"), none);
}

}  // namespace
