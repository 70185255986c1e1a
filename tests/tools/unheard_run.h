#pragma once

// A tool whose output nobody reads to its end.

#include "tests/tools/run_tool.h"

namespace gestalt::tests {

// As run_tool, but the reader of stdout and stderr ends just before the signal, as `| tee log` does
// when Ctrl-C is meant for both.
ToolResult run_unheard(const std::string& name, const std::vector<std::string>& arguments,
                       const std::function<bool()>& interrupt_when, int signal = SIGINT);

}  // namespace gestalt::tests
