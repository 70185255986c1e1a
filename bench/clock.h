#pragma once

// The clock of a benchmark. On a machine that others use, the process' CPU time tells more than the
// time on the wall; with several threads it is the sum of theirs.

#include <chrono>
#include <ctime>

namespace gestalt::bench {

// Seconds since some moment.
inline double now(bool cpu_time) {
  if (cpu_time) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gestalt::bench
