#include "bench/gpu/stopwatch.h"

#include <chrono>

#include "kernels/error.h"
#include "tensor/context.h"
#ifdef GESTALT_WITH_CUDA
#include <cuda_runtime.h>
#endif

namespace gestalt::bench {
namespace {

using Clock = std::chrono::steady_clock;

class WallClock : public Stopwatch {
 public:
  void start() override { start_ = Clock::now(); }
  double stop() override {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }

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

}  // namespace

std::unique_ptr<Stopwatch> stopwatch(Device device) {
#ifdef GESTALT_WITH_CUDA
  if (device.is_cuda()) return std::make_unique<Events>(device);
#endif
  GESTALT_CHECK(device.is_cpu(), "this build has no CUDA backend");
  return std::make_unique<WallClock>();
}

}  // namespace gestalt::bench
