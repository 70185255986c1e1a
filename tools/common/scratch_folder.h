#pragma once

// A folder for files on their way to somewhere else, among the system's temporary ones; it goes
// with the object. Throws Error where it cannot be made.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "kernels/error.h"

namespace gestalt::tools {

class ScratchFolder {
 public:
  ScratchFolder() {
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "gestalt_XXXXXX").string();
    GESTALT_CHECK(mkdtemp(name.data()) != nullptr, "cannot make a folder in '{}'",
                  fs::temp_directory_path().string());
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace gestalt::tools
