#pragma once

// Running the built tools as a user would.

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"

namespace gestalt::tests {

struct ToolResult {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

// The tool NAME beside this test, else in the build it is of, with these arguments. As soon as
// `interrupt_when` is true, the signal, once.
ToolResult run_tool(const std::string& name, const std::vector<std::string>& arguments,
                    const std::function<bool()>& interrupt_when = {}, int signal = SIGINT);

// The same with stderr apart, for what a script would read.
struct Streams {
  int exit_code = -1;
  std::string output, errors;
};
Streams run_apart(const std::string& name, const std::vector<std::string>& arguments);

std::string read_text(const std::filesystem::path& path);

}  // namespace gestalt::tests
