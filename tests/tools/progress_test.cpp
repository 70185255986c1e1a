// How far a job is, on a terminal and elsewhere.

#include "tools/common/progress.h"

#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/processes.h"
#include "tools/common/utf8.h"

namespace gestalt::tools {
namespace {

// A terminal of so many columns, and what a process writes to it.
class Terminal {
 public:
  explicit Terminal(int columns) : ours_(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    if (ours_ < 0 || grantpt(ours_) != 0 || unlockpt(ours_) != 0) return;
    theirs_ = open(ptsname(ours_), O_RDWR | O_NOCTTY);
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    ioctl(theirs_, TIOCSWINSZ, &size);
  }
  ~Terminal() {
    close(theirs_);
    close(ours_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool is_there() const { return theirs_ >= 0; }

  // What shows a job at `done` of 1000 as its second line.
  std::string show(int64_t done, const std::string& note, const char* kind = "xterm") {
    tests::ends([&] {
      dup2(theirs_, STDERR_FILENO);
      setenv("TERM", kind, 1);
      Progress progress("train_classifier", 1000, false);
      progress.update(0, note);
      progress.update(done, note);
      return 0;
    });
    std::string shown;
    char buffer[4096];
    for (ssize_t bytes; (bytes = read(ours_, buffer, sizeof buffer)) > 0;) {
      shown.append(buffer, static_cast<size_t>(bytes));
    }
    return shown;
  }

 private:
  int ours_, theirs_ = -1;
};

const std::string long_note = "images, epoch 88/100, loss 0.0123, accuracy caf\xc3\xa9 98.76 %";

TEST(ProgressLine, IsNoLongerThanTheTerminalIsWide) {
  for (const int columns : {0, 40, 80, 200}) {
    const size_t width = columns == 0 ? 80 : columns;  // one that does not tell
    Terminal terminal(columns);
    if (!terminal.is_there()) GTEST_SKIP() << "no pseudo-terminals here";
    const std::string shown = terminal.show(1000, long_note);
    const std::string begin = "\r\033[K";
    ASSERT_TRUE(shown.starts_with(begin)) << shown;
    const std::string line =
        shown.substr(begin.size(), shown.find_first_of("\r\n", 1) - begin.size());
    EXPECT_TRUE(line.starts_with("train_classifier ")) << line;
    EXPECT_LT(line.size(), width);
    EXPECT_EQ(line.find("[####") != std::string::npos, columns == 200) << line;
    EXPECT_EQ(line.ends_with("98.76 %"), columns == 200) << line;
  }
}

// More than there should be: a folder that grew, say.
TEST(ProgressLine, TakesMoreThanAll) {
  Terminal terminal(200);
  if (!terminal.is_there()) GTEST_SKIP() << "no pseudo-terminals here";
  const std::string shown = terminal.show(3000, "a note");
  EXPECT_NE(shown.find("[" + std::string(24, '#') + "] 3000/1000"), std::string::npos) << shown;
  EXPECT_NE(shown.find(" 0:00:00 left  a note"), std::string::npos) << shown;
}

TEST(ProgressLine, IsPlainWhereItCannotBeDrawnAgain) {
  Terminal terminal(80);
  if (!terminal.is_there()) GTEST_SKIP() << "no pseudo-terminals here";
  const std::string shown = terminal.show(1000, long_note, "dumb");
  EXPECT_EQ(shown.find('\033'), std::string::npos) << shown;
  EXPECT_TRUE(shown.ends_with("98.76 %\r\n")) << shown;
}

TEST(CutUtf8, LeavesLettersWhole) {
  const std::string text = "caf\xc3\xa9s";
  EXPECT_EQ(cut_utf8(text, 6), text);
  EXPECT_EQ(cut_utf8(text, 5), "caf\xc3\xa9");
  EXPECT_EQ(cut_utf8(text, 4), "caf");
  EXPECT_EQ(cut_utf8(text, 0), "");
}

}  // namespace
}  // namespace gestalt::tools
