// Locks of folders and of files in them, in this process, and the tools that take them.

#include "tools/common/folder_lock.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <gtest/gtest.h>
#include <thread>

#include "kernels/error.h"
#include "models/adain.h"
#include "tensor/io/safetensors.h"
#include "tests/error_of.h"
#include "tests/processes.h"
#include "tests/tools/synthesis_fixture.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using tests::error_of;
using tests::pid_that_is_gone;

class Locks : public testing::Test {
 protected:
  void take(const std::string& file, const std::string& by, const fs::path& lock) const {
    EXPECT_EQ(error_of([&] { FileLock(file, lock); }),
              by.empty() ? "" : format("'{}' is in use: {} is writing it", file, by));
  }

  const tests::TemporaryFolder folder_;
};

TEST_F(Locks, TheNextOwnerRemovesWhatAKilledOneLeftHalfWritten) {
  const pid_t killed = pid_that_is_gone();
  const std::string mark = format(".gestalt-tmp.{}", killed);
  fs::create_directories(folder_ / "images/deep");
  const std::vector<fs::path> left = {folder_ / ("config.json" + mark),
                                      folder_ / ("images/1.png" + mark)};
  const fs::path deep = folder_ / ("images/deep/1.png" + mark);
  const auto leave = [&] {
    for (const fs::path& file : left) std::ofstream(file) << "half of";
    std::ofstream(deep) << "half of";
    std::ofstream(folder_ / "notes.txt") << "mine";
  };
  leave();
  { const FolderLock unknown(folder_.path()); }  // new ones, whose writer no lock knows
  for (const fs::path& file : left) EXPECT_TRUE(fs::exists(file)) << file;

  std::ofstream(folder_ / ".lock") << format("{} {}\n", killed, tests::host_name());
  const FolderLock lock(folder_.path());
  for (const fs::path& file : left) EXPECT_FALSE(fs::exists(file)) << file;
  EXPECT_TRUE(fs::exists(deep));
  lock.remove_leftovers_in(folder_ / "images/deep");
  EXPECT_FALSE(fs::exists(deep));
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
}

TEST_F(Locks, OfAFileLeavesTheOthersFreeAndGoesWithItsObject) {
  const fs::path first = folder_ / "locks/first", second = folder_ / "locks/second";
  {
    const FileLock lock("file", first);
    take("file", format("process {}", getpid()), first);
    take("other", "", second);
    EXPECT_TRUE(fs::exists(first));
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "locks"));
  take("file", "", first);
}

// Each takes the file that is there, not one that another has just removed.
TEST_F(Locks, WhoWaitsForAFileIsAloneWithIt) {
  std::atomic<int> inside = 0, count = 0;
  std::vector<std::future<void>> threads;
  for (int i = 0; i < 8; ++i) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (int j = 0; j < 50; ++j) {
        const FileLock lock("file", folder_ / "locks/file", WhileInUse::wait);
        const bool is_alone = ++inside == 1;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        EXPECT_TRUE(is_alone && inside == 1);
        ++count;
        --inside;
      }
    }));
  }
  for (std::future<void>& thread : threads) thread.get();
  EXPECT_EQ(count, 400);
}

class LockedFolder : public tests::Synthesis {
 protected:
  void expect_refused(const std::string& tool, const std::vector<std::string>& arguments) {
    const fs::path out = folder_ / "out";
    fs::create_directories(out);
    {
      const FolderLock lock(out);
      const tests::ToolResult refused = tests::run_tool(tool, arguments);
      EXPECT_EQ(refused.exit_code, 1);
      EXPECT_TRUE(refused.output.ends_with(format(
          "{}: '{}' is in use: process {} is running there\n", tool, out.string(), getpid())))
          << refused.output;
      for (const auto& file : fs::directory_iterator(out)) {
        EXPECT_EQ(file.path().filename(), ".lock") << file.path();
      }
    }
    const tests::ToolResult result = tests::run_tool(tool, arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
  }
};

TEST_F(LockedFolder, IsRefusedBySynthesizeTexture) {
  expect_refused("synthesize_texture", shallow("out", {"-n", "1", "--iter", "1"}));
  // Where nothing is left to do, nothing is locked.
  const FolderLock lock(folder_ / "out");
  const std::vector<std::string> finished = shallow("out", {"-n", "1", "--iter", "1", "--resume"});
  EXPECT_EQ(tests::run_tool("synthesize_texture", finished).exit_code, 0);
}

TEST_F(LockedFolder, IsRefusedByVisualizeTopk) {
  expect_refused("visualize_topk", shallow("out", {"--iter", "1"}));
}

// Its checkpoints are what it would go on with, and what the other is writing.
TEST_F(LockedFolder, IsRefusedWhereARunWouldGoOn) {
  const std::vector<std::string> flags = shallow("out", {"-n", "1000", "--save_every", "1"});
  bool tried = false;
  const auto try_another = [&] {
    if (tried || progress_pictures("out") == 0) return false;
    tried = true;
    for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--resume"}}) {
      std::vector<std::string> second = flags;
      second.insert(second.end(), more.begin(), more.end());
      const tests::ToolResult result = tests::run_tool("synthesize_texture", second);
      EXPECT_EQ(result.exit_code, 1) << result.output;
      EXPECT_NE(result.output.find("out' is in use: process "), std::string::npos) << result.output;
    }
    return true;
  };
  EXPECT_EQ(tests::run_tool("synthesize_texture", flags, try_another).exit_code, 130);
  EXPECT_TRUE(tried);
}

TEST_F(LockedFolder, IsRefusedByStylizeImages) {
  const std::string decoder = folder_ / "decoder.safetensors";
  Generator generator(1);
  write_safetensors(decoder, models::make_adain_decoder(generator)->state_dict());
  expect_refused("stylize_images", {"--content", folder_ / "in", "--style", folder_ / "in", "-o",
                                    folder_ / "out", "--decoder", decoder, "--content_size", "16",
                                    "--style_size", "16", "--quiet", "--device", "cpu"});
}

}  // namespace
}  // namespace gestalt::tools
