// What folders, device code and launchers may not include or contain, read from the sources.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/source_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path cuda_folder = gestalt::tests::source_folder() / "kernels/cuda";

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

using Rule = std::function<bool(const std::string& line)>;

// "file:line: text" of each line that breaks the rule.
std::vector<std::string> lines_with(const std::vector<fs::path>& paths, const Rule& rule) {
  std::vector<std::string> found;
  for (const fs::path& path : paths) {
    int number = 0;
    for (const std::string& line : code_lines(path)) {
      ++number;
      if (rule(line)) {
        found.push_back(path.filename().string() + ':' + std::to_string(number) + ": " + line);
      }
    }
  }
  return found;
}

Rule contains(const std::string& text) {
  return [text](const std::string& line) { return line.find(text) != std::string::npos; };
}

// What an #include names, with its quotes or brackets; empty for other lines.
std::string included(const std::string& line) {
  if (line.empty() || line[0] != '#' || line.find("include") == std::string::npos) return {};
  return line.substr(std::min(line.find_first_of("\"<"), line.size()));
}

// Includes of a file that starts with none of `allowed`.
Rule includes_beyond(const std::vector<std::string>& allowed) {
  return [allowed](const std::string& line) {
    const std::string name = included(line);
    if (name.empty()) return false;
    for (const std::string& start : allowed) {
      if (name.starts_with(start)) return false;
    }
    return true;
  };
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
  EXPECT_FALSE(lines_with({cuda_folder / "device/shared.cuh"}, contains("__shared__")).empty());
  EXPECT_FALSE(lines_with({cuda_folder / "launch.h"}, includes_beyond({"\"kernels/"})).empty());
}

// What a folder may include; the same table is in docs/architecture.md. The include path is the
// whole checkout for all of them, so that the compiler refuses nothing.
struct Folder {
  std::string name;
  std::vector<std::string> below;
};
const Folder folders[] = {
    {"kernels", {}},
    {"tensor", {"kernels"}},
    {"nn", {"kernels", "tensor"}},
    {"optim", {"kernels", "tensor"}},
    {"models", {"kernels", "tensor", "nn"}},
    {"data", {"kernels", "tensor"}},
    {"eval", {"kernels", "tensor", "nn", "models"}},
    {"tools", {"kernels", "tensor", "nn", "optim", "models", "data", "eval"}}};

TEST(Lint, FoldersIncludeThoseBelowThem) {
  const fs::path root = gestalt::tests::source_folder();
  for (const Folder& folder : folders) {
    std::vector<std::string> allowed = {"<", '"' + folder.name + '/'};
    for (const std::string& below : folder.below) allowed.push_back('"' + below + '/');
    const auto paths = sources(root / folder.name, {".h", ".cpp", ".cuh", ".cu"}, true);
    EXPECT_GT(paths.size(), 10u) << folder.name;
    EXPECT_EQ(lines_with(paths, includes_beyond(allowed)), none) << folder.name;
  }
}

TEST(Lint, BackendsAreIncludedByKernelsAlone) {
  const auto names_backend = [](const std::string& line) {
    const std::string name = included(line);
    return name.starts_with("\"kernels/cpu/") || name.starts_with("\"kernels/cuda/");
  };
  for (const Folder& folder : folders) {
    if (folder.name == "kernels") continue;
    const auto paths = sources(gestalt::tests::source_folder() / folder.name, {".h", ".cpp"}, true);
    EXPECT_EQ(lines_with(paths, names_backend), none) << folder.name;
  }
}

TEST(Lint, KernelsAreLaunchedByLaunch) {
  std::vector<fs::path> paths;
  for (const auto& folder : fs::directory_iterator(gestalt::tests::source_folder())) {
    const std::string name = folder.path().filename().string();
    if (!folder.is_directory() || name.starts_with('.') || name.starts_with("build")) continue;
    for (const fs::path& path : sources(folder.path(), {".cu", ".cuh", ".h"}, true)) {
      paths.push_back(path);
    }
  }
  EXPECT_GT(paths.size(), 20u);
  EXPECT_EQ(lines_with(paths, contains("<<<")), none);
}

TEST(Lint, SharedMemoryIsCarved) {
  EXPECT_EQ(lines_with(device_code(), contains("__shared__")), none);
  EXPECT_EQ(lines_with(launchers(), contains("__shared__")), none);
}

TEST(Lint, DeviceCodeIncludesOnlyDeviceCode) {
  EXPECT_EQ(lines_with(device_code(),
                       includes_beyond({"\"kernels/cuda/device/", "\"kernels/cuda/namespace.h",
                                        "\"kernels/descriptors.h", "\"kernels/loop_nest.h",
                                        "\"kernels/philox.h", "\"kernels/rounding.h",
                                        "\"kernels/to_integer.h", "\"kernels/types.h", "<cfloat>",
                                        "<cmath>", "<cstddef>", "<cstdint>", "<limits>",
                                        "<type_traits>", "<utility>"})),
            none);
}

TEST(Lint, LaunchersIncludeNoLibrary) {
  const auto names_library = [](const std::string& line) {
    const std::string name = included(line);
    for (const char* start : {"<cu", "<nv", "<thrust", "\"kernels/cpu/", "\"kernels/cuda/library/",
                              "\"kernels/cuda/runtime.h"}) {
      if (name.starts_with(start)) return true;
    }
    return false;
  };
  EXPECT_EQ(lines_with(launchers(), names_library), none);
}

// GESTALT_SYNC waits for libraries' work, too.
TEST(Lint, LibrariesAreWaitedFor) {
  const auto queues_work = [](const std::string& line) {
    return line.find("cudnnBackendExecute(") != line.npos || line.find("cublasGemm") != line.npos;
  };
  size_t calls = 0;
  for (const fs::path& path : sources(cuda_folder / "library", {".cpp"}, false)) {
    const size_t queued = lines_with({path}, queues_work).size();
    EXPECT_EQ(lines_with({path}, contains("wait_if_asked(")).size(), queued) << path.filename();
    calls += queued;
  }
  EXPECT_GE(calls, 2u);
}

TEST(Lint, NamespaceIsTheMacro) {
  std::vector<fs::path> paths = sources(cuda_folder / "device", {".cuh"}, true);
  for (const fs::path& path : launchers()) paths.push_back(path);
  EXPECT_EQ(lines_with(paths, contains("namespace gestalt")), none);
}

}  // namespace
