// The folder of a training: whose files a new run takes away, and that one process has it.

#include "tools/common/run_folder.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "tests/error_of.h"
#include "tests/processes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/config.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using tests::error_of;
using tests::host_name;
using tests::pid_that_is_gone;

class RunFolders : public testing::Test {
 protected:
  const tests::TemporaryFolder folder_;
};

TEST_F(RunFolders, ANewRunTakesAwayWhatAnEarlierOneOfItsToolLeftAndNothingElse) {
  RunFolder run(folder_ / "run", "some_tool", R"(best\.bin|samples/[0-9]{7,}\.jpg)");
  const std::vector<std::string> own = {"checkpoint.safetensors", "best.bin", "samples/0000012.jpg",
                                        "events.out.tfevents.12.gestalt.34"};
  const std::vector<std::string> others = {"notes.txt", "samples/mine.jpg", "samples/12.jpg",
                                           "samples/deep/0000012.jpg",
                                           "events.out.tfevents.12.host"};
  const auto start = [&](RunFolder& folder, bool resume) {
    fs::create_directories(folder / "samples/deep");
    for (const auto& names : {own, others}) {
      for (const std::string& name : names) std::ofstream(folder / name) << "content";
    }
    CommonOptions common;
    common.quiet = true;
    folder.start(json::object(), common, resume);
  };
  const auto is_there = [](const RunFolder& folder) {
    return [&](const std::string& name) { return fs::exists(folder / name); };
  };
  start(run, false);  // no run was here: the checkpoint alone is taken for one
  EXPECT_EQ(std::count_if(own.begin(), own.end(), is_there(run)), 3);
  start(run, true);
  EXPECT_TRUE(std::all_of(own.begin(), own.end(), is_there(run)));
  EXPECT_THROW(run.check_keeps("--weights", run / "best.bin"), UsageError);
  EXPECT_THROW(run.check_keeps("--weights", run / "samples/../best.bin"), UsageError);
  EXPECT_NO_THROW(run.check_keeps("--weights", run / "notes.txt"));
  EXPECT_NO_THROW(RunFolder(folder_ / "none", "some_tool", "a").check_keeps("--weights", "b"));
  start(run, false);
  EXPECT_TRUE(std::none_of(own.begin(), own.end(), is_there(run)));
  EXPECT_TRUE(std::all_of(others.begin(), others.end(), is_there(run)));
}

TEST_F(RunFolders, ABadStartLeavesTheEarlierRun) {
  CommonOptions common;
  common.quiet = true;
  const fs::path best = folder_ / "run/best", log = folder_ / "run/log.txt";
  const auto start = [&] {
    RunFolder run(folder_ / "run", "some_tool", "best");
    run.start(json::object(), common, false, {"samples"})->info("a line");
  };
  start();
  const auto fails_at = [&](const fs::path& path) {
    std::ofstream(best) << "content";
    const std::string error = error_of(start);
    EXPECT_NE(error.find(path.string()), std::string::npos) << error;
    EXPECT_TRUE(fs::exists(best)) << path;
  };
  fs::remove(folder_ / "run/samples");
  std::ofstream(folder_ / "run/samples") << "mine";
  fails_at(folder_ / "run/samples");
  EXPECT_NE(tests::read_text(log).find("a line"), std::string::npos);
  fs::remove(folder_ / "run/samples");
  fs::rename(log, folder_ / "run/old.txt");
  fs::create_directories(log);
  fails_at(log);
  fs::remove(log);
  std::ofstream(log) << "of the earlier run";
  start();
  EXPECT_FALSE(fs::exists(best));
  EXPECT_EQ(tests::read_text(log).find("of the earlier run"), std::string::npos);
}

// Hashing, listing and making the network may take minutes, in which the user thinks again.
TEST_F(RunFolders, AnInterruptBeforeTheStartLeavesTheEarlierRun) {
  CommonOptions common;
  common.quiet = true;
  RunFolder run(folder_ / "run", "some_tool", "best");
  run.start(json::object(), common, false)->info("a line");
  for (const char* name : {"checkpoint.safetensors", "best"}) std::ofstream(run / name) << "it";
  const auto ends_interrupted = [&](bool resume) {
    return tests::ends([&] {
      catch_interrupts();
      std::raise(SIGINT);
      try {
        run.start({{"n", 2}}, common, resume);
      } catch (const Interrupted&) {
        return 0;
      }
      return 1;
    });
  };
  EXPECT_EQ(ends_interrupted(false), 0);
  for (const char* name : {"checkpoint.safetensors", "best"}) EXPECT_TRUE(fs::exists(run / name));
  EXPECT_EQ(tool_of_config(run.path()), "some_tool");
  EXPECT_EQ(settings_of_config(run.path(), "some_tool"), json::object());
  EXPECT_NE(tests::read_text(run / "log.txt").find("a line"), std::string::npos);
  EXPECT_EQ(ends_interrupted(true), 1);  // it goes on to save what it has
}

TEST_F(RunFolders, ALogOfTheUsersOwnIsAppendedTo) {
  CommonOptions common;
  common.quiet = true;
  RunFolder run(folder_ / "run", "some_tool", "best");
  fs::create_directories(run.path());
  std::ofstream(run / "log.txt") << "my notes\n";
  run.start(json::object(), common, false)->info("of the first run");
  const std::string first = tests::read_text(run / "log.txt");
  EXPECT_TRUE(first.starts_with("my notes\n")) << first;
  run.start(json::object(), common, false)->info("of the second run");  // it is ours by now
  const std::string second = tests::read_text(run / "log.txt");
  EXPECT_NE(second.find("of the second run"), std::string::npos) << second;
  EXPECT_EQ(second.find("of the first run"), std::string::npos) << second;
}

TEST_F(RunFolders, ANewRunLeavesWhatAnotherToolLeft) {
  RunFolder run(folder_ / "run", "some_tool", "a"), other(folder_ / "run", "other_tool", "best");
  CommonOptions common;
  common.quiet = true;
  fs::create_directories(run.path());
  write_config(run.path(), "some_tool", json::object());
  std::ofstream(run / "best") << "content";
  other.start(json::object(), common, false);
  EXPECT_TRUE(fs::exists(other / "best"));
}

TEST_F(RunFolders, AFolderIsOneRunsAtATime) {
  CommonOptions common;
  common.quiet = true;
  const auto resume = [](RunFolder& run) {
    return error_of([&] { run.check_resume(json::object(), json::object(), {}); });
  };
  const auto refused_by = [&](const std::string& owner) {
    return format("'{}' is in use: {} is running there", (folder_ / "run").string(), owner);
  };
  const std::string refused = refused_by(format("process {}", getpid()));
  {
    RunFolder first(folder_ / "run", "some_tool", "best");
    RunFolder second(folder_ / "run", "some_tool", "best");
    first.start({{"n", 1}}, common, false);
    for (const char* name : {"checkpoint.safetensors", "best"}) {
      std::ofstream(first / name) << "content";
    }
    const std::string config = tests::read_text(first / "config.json");
    EXPECT_EQ(error_of([&] { second.start({{"n", 2}}, common, false); }), refused);
    EXPECT_EQ(resume(second), refused);
    EXPECT_TRUE(fs::exists(first / "best"));
    EXPECT_EQ(tests::read_text(first / "config.json"), config);
    first.start({{"n", 1}}, common, true);  // it is its own
    // Of another machine; before it has named itself; of one that was killed there before.
    const auto refused_where = [&](const std::string& text) {
      std::ofstream(first / ".lock") << text;
      return resume(second);
    };
    EXPECT_EQ(refused_where("12 elsewhere\n"), refused_by("process 12 on elsewhere"));
    EXPECT_EQ(refused_where(""), refused_by("another process"));
    EXPECT_EQ(refused_where(format("{} {}\n", pid_that_is_gone(), host_name())),
              refused_by("another process"));
  }
  RunFolder next(folder_ / "run", "some_tool", "best"), last(folder_ / "run", "some_tool", "best");
  EXPECT_EQ(resume(next), "");
  EXPECT_EQ(resume(last), refused);  // before it has read the checkpoint
}

TEST_F(RunFolders, NamesOfAnEarlierRunsFilesMayHangOnItsSettings) {
  RunFolder run(folder_ / "run", "some_tool", [](const json& settings) {
    return settings.value("set", std::string("none")) + "\\.bin";
  });
  CommonOptions common;
  common.quiet = true;
  run.start({{"set", "first"}}, common, false);
  const auto write = [&] {
    for (const char* name : {"first.bin", "second.bin"}) std::ofstream(run / name) << "content";
  };
  write();
  run.start({{"set", "second"}}, common, false);
  EXPECT_FALSE(fs::exists(run / "first.bin"));
  EXPECT_TRUE(fs::exists(run / "second.bin"));
  write();
  write_config(run.path(), "some_tool", {{"set", 1}});
  try {
    run.start(json::object(), common, false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("config.json' is damaged: "), std::string::npos);
  }
  EXPECT_TRUE(fs::exists(run / "first.bin"));
}

}  // namespace
}  // namespace gestalt::tools
