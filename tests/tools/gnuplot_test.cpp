// What is said where gnuplot draws, and where it does not.

#include "tools/common/gnuplot.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace gestalt::tools {
namespace {

class Gnuplot : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
};

TEST_F(Gnuplot, SpeaksOnlyWhereItFails) {
  const auto run = [&](const std::string& script, bool& drawn) {
    testing::internal::CaptureStderr();
    drawn = run_gnuplot(folder_ / "plot.gp", script);
    return testing::internal::GetCapturedStderr();
  };
  bool drawn = false;
  const std::string failure = run("no_such_command\n", drawn);
  EXPECT_FALSE(drawn);
  if (failure.find("gnuplot is missing") != std::string::npos) GTEST_SKIP() << failure;
  EXPECT_TRUE(failure.starts_with("no plot: gnuplot failed: ")) << failure;
  EXPECT_NE(failure.find("plot.gp\" line 1"), std::string::npos) << failure;
  EXPECT_EQ(std::count(failure.begin(), failure.end(), '\n'), 1) << failure;
  // A warning: the range is empty.
  EXPECT_EQ(run("set terminal dumb\nset output \"plot.txt\"\nplot [0:1] 5\n", drawn), "");
  EXPECT_TRUE(drawn);
}

TEST_F(Gnuplot, IsNotMissingWhereTheFolderIs) {
  testing::internal::CaptureStderr();
  EXPECT_FALSE(run_gnuplot(folder_ / "plot.gp", "", folder_ / "nowhere"));
  const std::string failure = testing::internal::GetCapturedStderr();
  EXPECT_NE(failure.find("cannot run in '" + (folder_ / "nowhere").string()), std::string::npos)
      << failure;
}

}  // namespace
}  // namespace gestalt::tools
