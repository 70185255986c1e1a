#pragma once

// Running the built tools as a user would.

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace gestalt::tests {

struct ToolResult {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

// build/.../bin/NAME with these arguments. As soon as `interrupt_when` is true, the signal, once.
ToolResult run_tool(const std::string& name, const std::vector<std::string>& arguments,
                    const std::function<bool()>& interrupt_when = {}, int signal = SIGINT);

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
