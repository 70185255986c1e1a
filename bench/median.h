#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gestalt::bench {

// The median of `repeats` (1 or more) of `work` behind one to warm up, by the clock `now`.
template <class Work, class Clock>
double median_seconds(int64_t repeats, const Work& work, const Clock& now) {
  std::vector<double> seconds;
  for (int64_t i = 0; i <= repeats; ++i) {
    const double start = now();
    work();
    if (i > 0) seconds.push_back(now() - start);
  }
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[static_cast<size_t>(repeats) / 2];
}

}  // namespace gestalt::bench
