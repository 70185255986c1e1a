#include "tools/common/progress.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace gestalt::tools {
namespace {

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

}  // namespace

Progress::Progress(std::string what, int64_t total, bool quiet)
    : what_(std::move(what)), total_(total), quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

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
      rate > 0 ? clock_text(static_cast<double>(total_ - done) / rate) : std::string("?");
  if (terminal_) {
    constexpr int width = 24;
    const int filled = static_cast<int>(width * done / std::max<int64_t>(total_, 1));
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r\033[K%s [%s] %ld/%ld  %.2f/s  %s left  %s", what_.c_str(), bar.c_str(),
                 done, total_, rate, left.c_str(), note.c_str());
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
