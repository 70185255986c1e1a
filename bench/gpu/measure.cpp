#include "bench/gpu/measure.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "kernels/error.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#ifdef GESTALT_WITH_CUDA
#include <cuda_runtime.h>
#endif

namespace gestalt::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  virtual void start() = 0;
  virtual double stop() = 0;  // waits; milliseconds
};

class WallClock : public Stopwatch {
 public:
  void start() override { start_ = Clock::now(); }
  double stop() override { return seconds_since(start_) * 1e3; }

 private:
  Clock::time_point start_;
};

#ifdef GESTALT_WITH_CUDA
void check(cudaError_t status) {
  GESTALT_CHECK(status == cudaSuccess, "[timing] CUDA: {}", cudaGetErrorString(status));
}

class Events : public Stopwatch {
 public:
  explicit Events(Device device) : stream_(static_cast<cudaStream_t>(context(device).stream())) {
    check(cudaSetDevice(device.index));
    check(cudaEventCreate(&start_));
    check(cudaEventCreate(&stop_));
  }
  ~Events() override {
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
  }
  void start() override { check(cudaEventRecord(start_, stream_)); }
  double stop() override {
    float milliseconds = 0;
    check(cudaEventRecord(stop_, stream_));
    check(cudaEventSynchronize(stop_));
    check(cudaEventElapsedTime(&milliseconds, start_, stop_));
    return milliseconds;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t start_ = nullptr, stop_ = nullptr;
};
#endif

std::unique_ptr<Stopwatch> stopwatch(Device device) {
#ifdef GESTALT_WITH_CUDA
  if (device.is_cuda()) return std::make_unique<Events>(device);
#endif
  GESTALT_CHECK(device.is_cpu(), "this build has no CUDA backend");
  return std::make_unique<WallClock>();
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
