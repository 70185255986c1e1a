#pragma once

// Parallel loops over OpenMP. The split never changes a result: every kernel writes each output
// element in one thread, from sums whose order depends on the shapes alone (internal to kernels/,
// data/ and tools/).

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/threads.h"

namespace gestalt {

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

// Runs body(unit, worker) for every unit; workers take the next unit as they get free, and worker
// numbers are below num_threads().
template <class Body>
void for_each_unit(int64_t units, const Body& body) {
  std::atomic<int64_t> next = 0;
  const int64_t workers = std::min<int64_t>(num_threads(), units);
  parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t unit = next++; unit < units; unit = next++) body(unit, worker);
    }
  });
}

}  // namespace gestalt
