#pragma once

// Parallel loops over OpenMP. The split never changes a result: every kernel writes each output
// element in one thread, from sums whose order depends on the shapes alone.

#include <algorithm>
#include <cstdint>

namespace gestalt {

// Threads used by CPU kernels; at least 1. The default is the number of cores available.
int num_threads();
void set_num_threads(int threads);

namespace cpu {

using RangeBody = void (*)(const void* closure, int64_t begin, int64_t end);
void parallel_ranges(int64_t size, int64_t grain, RangeBody body, const void* closure);

// Calls body(begin, end) on disjoint ranges that cover [0, size), none but the last shorter than
// `grain`. An exception in a body is thrown again in the caller.
template <class Body>
void parallel_for(int64_t size, int64_t grain, const Body& body) {
  parallel_ranges(
      size, grain,
      [](const void* closure, int64_t begin, int64_t end) {
        (*static_cast<const Body*>(closure))(begin, end);
      },
      &body);
}

}  // namespace cpu
}  // namespace gestalt
