// What a tool asks of the CUDA backend, when, and what it says of the answer.

#include <cstdio>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "kernels/set_runtime.h"
#include "tests/processes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

int asked = 0;  // how often for devices

// A machine with a driver that has no GPU to give.
Runtime driver_alone() {
  Runtime runtime = cpu_runtime;
  runtime.name = "cuda";
  runtime.device_count = [] { return ++asked, 0; };
  runtime.why_no_device = [] { return NoDevice{true, {"the driver is too old", ""}}; };
  return runtime;
}

class ChosenDevice : public testing::Test {
 protected:
  // The exit code of a tool with these arguments, in a process of its own, and how often it asked;
  // what it printed is in the folder's files "stdout" and "stderr".
  std::pair<int, int> run(std::vector<std::string> arguments) const {
    const std::string output = folder_ / "stdout", errors = folder_ / "stderr";
    const int code = tests::ends([&] {
      if (!std::freopen(output.c_str(), "w", stdout)) return -1;
      if (!std::freopen(errors.c_str(), "w", stderr)) return -1;
      static const Runtime backend = driver_alone();
      set_cuda_runtime(backend);
      arguments.insert(arguments.begin(), {"some_tool", "--threads", "1"});
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      Tool tool("some_tool", "Does something.");
      const int exit_code = tool.run(static_cast<int>(argv.size()), argv.data(), [] {
        std::printf("{}\n");
        return int{exit_done};
      });
      return exit_code == exit_done ? 10 + asked : exit_code;
    });
    return code < 10 ? std::pair(code, 0) : std::pair(int{exit_done}, code - 10);
  }
  std::string said(const std::string& stream) const { return tests::read_text(folder_ / stream); }

  const tests::TemporaryFolder folder_;
};

// It takes a second on a machine with several GPUs.
TEST_F(ChosenDevice, IsAskedForOnlyWhereItMayBeOne) {
  EXPECT_EQ(run({"--help"}), std::pair(0, 0));
  EXPECT_NE(said("stdout").find("--device"), std::string::npos);
  EXPECT_EQ(run({"--device", "cpu"}), std::pair(0, 0));
  EXPECT_EQ(run({"--version"}), std::pair(0, 1));
  EXPECT_NE(said("stdout").find("cuda (no device)"), std::string::npos);
  EXPECT_GE(run({}).second, 1);
}

TEST_F(ChosenDevice, AWarningIsNoResult) {
  EXPECT_EQ(run({}).first, exit_done);
  EXPECT_EQ(said("stdout"), "{}\n");
  EXPECT_EQ(said("stderr"), "warning: on the CPU: the driver is too old (see doctor)\n");
}

}  // namespace
}  // namespace gestalt::tools
