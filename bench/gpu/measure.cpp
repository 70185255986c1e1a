#include "bench/gpu/measure.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "bench/gpu/stopwatch.h"
#include "tensor/context.h"
#include "tensor/tensor.h"

namespace gestalt::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Timing measure(Device device, const std::function<void()>& work, double seconds) {
  const std::unique_ptr<Stopwatch> watch = stopwatch(device);
  // Several times the largest L2 there is.
  const int64_t flush_bytes = device.is_cuda() ? int64_t{256} << 20 : int64_t{32} << 20;
  Tensor flush = Tensor::empty({flush_bytes / 4}, {.device = device});
  for (int i = 0; i < 3; ++i) work();
  synchronize(device);
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < 5 || (times.size() < 200 && seconds_since(start) < seconds)) {
    flush.fill_(static_cast<double>(times.size()));
    watch->start();
    work();
    times.push_back(watch->stop());
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return {times[times.size() / 2], static_cast<int>(times.size())};
}

}  // namespace gestalt::bench
