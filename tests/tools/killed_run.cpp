#include "tests/tools/killed_run.h"

#include <chrono>
#include <gtest/gtest.h>
#include <random>

#include "tests/tools/run_tool.h"

namespace gestalt::tests {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void run_killed(const std::string& tool, const std::vector<std::string>& arguments,
                const fs::path& checkpoint, double seconds) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> moment(0.1, 0.8);
  std::vector<std::string> flags = arguments;
  int kills = 0, exit_code = -1;
  for (int attempt = 0; attempt < 20 && (exit_code != 0 || kills == 0); ++attempt) {
    const Clock::time_point start = Clock::now();
    const double limit = seconds * moment(random);
    const bool kill = kills < 3;
    const ToolResult part = run_tool(
        tool, flags,
        [&] { return kill && std::chrono::duration<double>(Clock::now() - start).count() > limit; },
        SIGKILL);
    exit_code = part.exit_code;
    if (exit_code == 128 + SIGKILL) ++kills;
    ASSERT_TRUE(exit_code == 0 || exit_code == 128 + SIGKILL) << part.output;
    flags = arguments;
    // Other work had made the measured run slower than this one: sooner, and from the beginning.
    if (kills == 0) seconds /= 2;
    if (kills > 0 && fs::exists(checkpoint)) flags.push_back("--resume");
    if (kills == 1) flags.insert(flags.end(), {"--threads", "1"});
  }
  EXPECT_EQ(exit_code, 0);
  EXPECT_GE(kills, 1);
}

void expect_same_files(const fs::path& one, const fs::path& other,
                       const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    EXPECT_TRUE(fs::exists(one / file)) << file;
    EXPECT_TRUE(read_text(one / file) == read_text(other / file)) << file;
  }
}

}  // namespace gestalt::tests
