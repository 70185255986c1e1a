#pragma once

// When a file that grows with a job, and is written whole each time, is written again.

#include <algorithm>
#include <chrono>

namespace gestalt::tools {

class SaveInterval {
 public:
  using Clock = std::chrono::steady_clock;
  explicit SaveInterval(Clock::time_point start) : next_(start + shortest) {}

  bool is_due(Clock::time_point now) const { return now >= next_; }
  // So that saving takes a twentieth of the time at most, however large the file has become.
  void saved(Clock::time_point begin, Clock::time_point end) {
    next_ = end + std::max<Clock::duration>(shortest, 20 * (end - begin));
  }

 private:
  static constexpr std::chrono::seconds shortest{10};
  Clock::time_point next_;
};

}  // namespace gestalt::tools
