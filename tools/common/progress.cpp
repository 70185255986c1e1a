#include "tools/common/progress.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/common/utf8.h"

namespace gestalt::tools {
namespace {

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

// One that knows how a line is drawn again.
bool is_terminal(int stream) {
  const char* kind = std::getenv("TERM");
  return isatty(stream) != 0 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

int columns_of(int stream) {
  winsize size{};
  return ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::string what, int64_t total, bool quiet)
    : what_(std::move(what)), total_(total), quiet_(quiet), terminal_(is_terminal(STDERR_FILENO)) {}

Progress::~Progress() {
  finish();
}

void Progress::update(int64_t done, const std::function<std::string()>& note) {
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  if (first_ < 0) {
    first_ = done;
    start_ = last_ = now;
    return;
  }
  const double since_last = std::chrono::duration<double>(now - last_).count();
  if (since_last < (terminal_ ? 0.1 : 10.0) && done < total_) return;
  last_ = now;
  draw(done, note());
}

void Progress::draw(int64_t done, const std::string& note) {
  const double elapsed = std::chrono::duration<double>(last_ - start_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done - first_) / elapsed : 0;
  const std::string left =
      rate > 0 ? clock_text(static_cast<double>(std::max<int64_t>(total_ - done, 0)) / rate)
               : std::string("?");
  if (terminal_) {
    constexpr int width = 24;
    const int64_t filled =
        std::clamp<int64_t>(width * done / std::max<int64_t>(total_, 1), 0, width);
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    const std::string figures =
        fmt::format("{}/{}  {:.2f}/s  {} left  {}", done, total_, rate, left, note);
    // A line that wraps could not be drawn again: each would stay.
    const auto room = static_cast<size_t>(columns_of(STDERR_FILENO) - 1);
    std::string line = fmt::format("{} [{}] {}", what_, bar, figures);
    if (line.size() > room) line = fmt::format("{} {}", what_, figures);
    std::fprintf(stderr, "\r\033[K%s", cut_utf8(line, room).c_str());
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s %ld/%ld, %.2f/s, %s left, %s\n", what_.c_str(), done, total_, rate,
                 left.c_str(), note.c_str());
  }
  std::fflush(stderr);
}

void Progress::finish() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

}  // namespace gestalt::tools
