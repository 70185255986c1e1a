// Signals, limits and closed streams: what a job meets beside its work.

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/processes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/gnuplot.h"
#include "tools/common/output.h"
#include "tools/common/tool.h"

namespace gestalt::tools {
namespace {

using tests::ends;
using tests::read_text;

int run(const std::function<int()>& body) {
  Tool tool("some_tool", "Does something.", CommonFlags::none);
  std::string name = "some_tool";
  char* argv[] = {name.data()};
  return tool.run(1, argv, body);
}

class Signals : public testing::Test {
 protected:
  void stderr_to_file() const {
    const int file = open((folder_ / "stderr").c_str(), O_WRONLY | O_CREAT, 0644);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  std::string said() const { return read_text(folder_ / "stderr"); }

  const tests::TemporaryFolder folder_;
};

TEST_F(Signals, TheSecondInterruptEndsItWhicheverItIs) {
  for (const auto& [first, second] : {std::pair(SIGINT, SIGTERM), std::pair(SIGTERM, SIGINT)}) {
    const int code = ends([first = first, second = second] {
      catch_interrupts();
      std::raise(first);
      if (!interrupted()) return 1;
      std::raise(second);
      return 0;
    });
    EXPECT_EQ(code, 128 + second);
  }
}

// A closed terminal or connection: the shell and the kernel may each send one.
TEST_F(Signals, AHangUpIsAnInterruptUnlessItWasIgnored) {
  const int code = ends([] {
    catch_interrupts();
    std::raise(SIGHUP);
    std::raise(SIGHUP);
    return interrupted() ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  const int behind_nohup = ends([] {
    std::signal(SIGHUP, SIG_IGN);
    catch_interrupts();
    std::raise(SIGHUP);
    return interrupted() ? 1 : 0;
  });
  EXPECT_EQ(behind_nohup, 0);
}

TEST_F(Signals, AnInterruptBeforeAnyChangeIsOneLine) {
  const int code = ends([&] {
    stderr_to_file();
    return run([] {
      catch_interrupts();
      check_not_interrupted();
      std::raise(SIGINT);
      check_not_interrupted();
      return int{exit_done};
    });
  });
  EXPECT_EQ(code, exit_interrupted);
  EXPECT_EQ(said(), "some_tool: interrupted; nothing was changed\n");
}

TEST_F(Signals, AReaderThatIsGoneEndsNothing) {
  for (const auto& [code, expected] :
       {std::pair(exit_interrupted, exit_interrupted), std::pair(exit_done, exit_failed)}) {
    const int ended = ends([&, code = code] {
      stderr_to_file();
      int pipe_ends[2];
      if (pipe(pipe_ends) != 0) return 1;
      dup2(pipe_ends[1], STDOUT_FILENO);
      close(pipe_ends[0]);
      close(pipe_ends[1]);
      return run([code] {
        catch_interrupts();
        std::printf("a line\n");
        std::fflush(stdout);
        return int{code};
      });
    });
    EXPECT_EQ(ended, expected);
  }
  EXPECT_NE(said().find("some_tool: cannot write to stdout: "), std::string::npos) << said();
}

TEST_F(Signals, AFileThatMayNotGrowIsAnError) {
  const std::filesystem::path file = folder_ / "file";
  const int code = ends([&] {
    stderr_to_file();
    const rlimit limit{1000, 1000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    return run([&] {
      write_text(file, std::string(5000, 'a'));
      return int{exit_done};
    });
  });
  EXPECT_EQ(code, exit_failed);
  EXPECT_EQ(said(), "some_tool: cannot write '" + file.string() + "': File too large\n");
}

TEST_F(Signals, WhatIsPrintedToAClosedStreamIsInNoFile) {
  const int code = ends([&] {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(stream);
    return run([&] {
      open("/dev/null", O_RDONLY);  // a first file would be stdin
      const int file = open((folder_ / "file").c_str(), O_WRONLY | O_CREAT, 0644);
      std::printf("results\n");
      std::fprintf(stderr, "progress\n");
      std::fflush(nullptr);
      return write(file, "content", 7) == 7 ? int{exit_done} : int{exit_failed};
    });
  });
  EXPECT_EQ(code, exit_done);
  EXPECT_EQ(read_text(folder_ / "file"), "content");
}

// Ctrl-C goes to the terminal's process group; a gnuplot that tells of its own.
TEST_F(Signals, GnuplotIsInAGroupOfItsOwn) {
  const std::filesystem::path program = folder_ / "gnuplot";
  std::ofstream(program) << "#!/bin/sh\nread -r pid name state parent group rest < /proc/$$/stat\n"
                            "[ \"$group\" = $$ ]\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const int code = ends([&] {
    setenv("PATH", (folder_.path().string() + ":" + getenv("PATH")).c_str(), 1);
    return run_gnuplot(folder_ / "plot.gp", "") ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace gestalt::tools
