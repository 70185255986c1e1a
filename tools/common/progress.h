#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace gestalt::tools {

// How far a long job is: on a terminal one line that is drawn again, with rate and time left, cut
// to its width; elsewhere a plain line every ten seconds. Silent where `quiet`.
class Progress {
 public:
  Progress(std::string what, int64_t total, bool quiet);
  ~Progress();
  // `note`: what the user wants to see beside it, e.g. the loss. As a function it is called only
  // where a line is drawn.
  void update(int64_t done, const std::function<std::string()>& note);
  void update(int64_t done, const std::string& note) {
    update(done, [&] { return note; });
  }
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(int64_t done, const std::string& note);

  std::string what_;
  int64_t total_;
  bool quiet_, terminal_, drawn_ = false;
  int64_t first_ = -1;  // done when the clock started: a resumed job does not start at 0
  Clock::time_point start_, last_;
};

}  // namespace gestalt::tools
