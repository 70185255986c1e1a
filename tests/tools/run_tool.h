#pragma once

// Running the built tools as a user would.

#include <filesystem>
#include <string>
#include <vector>

namespace gestalt::tests {

struct ToolResult {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

// build/.../bin/NAME with these arguments. After `interrupt_after` seconds, if not 0, SIGINT.
ToolResult run_tool(const std::string& name, const std::vector<std::string>& arguments,
                    double interrupt_after = 0);

// An empty folder of this test's own, removed when the object goes.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& path);

}  // namespace gestalt::tests
